import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LakeError } from "../../../schemas/errors.js";
import { keptPath } from "../../lake/sweeping/named-files.js";
import type { ArchiveReader, Member } from "../../ports/archive.js";
import type { Content } from "../../ports/store.js";
import type { Finding } from "../check/verdict.js";

interface KeepTools {
	archives: ArchiveReader;
	store: Content;
	/** Scratch, made and removed here. */
	folder: string;
}

/** Puts the bytes of a shard's rejected members into the lake, one after another. */
export async function keepRejected(
	findings: Finding[],
	members: Member[],
	{ archives, store, folder }: KeepTools,
	signal: AbortSignal,
): Promise<void> {
	const kept = new Map(findings.map((one) => [keptPath(one), one]));
	const byName = new Map(members.map((member) => [member.name, member]));
	await mkdir(folder, { recursive: true });
	try {
		for (const [path, { member: name, sha256 }] of kept) {
			const member = byName.get(name ?? "");
			if (path === null || !member) continue;
			signal.throwIfAborted();
			const local = join(folder, "rejected");
			const found = await archives.extract(member.ref, local);
			if (found !== sha256) {
				throw new LakeError("SOURCE_CHANGED", `${name} changed while it was being read.`, { path: name ?? "" });
			}
			await store.putFile(path, local);
			await rm(local, { force: true });
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
