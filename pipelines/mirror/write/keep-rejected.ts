import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FindingCode, Severity } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import { rejectedPath } from "../../lake/rejected-path.js";
import type { ArchiveReader, Member } from "../../ports/archive.js";
import type { Store } from "../../ports/store.js";
import type { Finding } from "../check/verdict.js";

/**
 * Where a quarantine row's bytes are kept with `--keep-rejected`, or null where none are: of a row that is rejected and
 * of a member that no row names, as far as it could be read. What is only warned of is an object like any other.
 */
export function keptPath(row: { code: FindingCode; severity: Severity; sha256: string | null }): string | null {
	const { code, severity, sha256 } = row;
	if (sha256 === null || (severity !== "reject" && code !== "IMAGE_ORPHAN")) return null;
	return rejectedPath(sha256);
}

/** Puts the bytes of a shard's rejected members into the lake, one after another. `folder` is scratch, made and removed here. */
export async function keepRejected(
	findings: Finding[],
	members: Member[],
	{ archives, store }: { archives: ArchiveReader; store: Store },
	folder: string,
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
				throw new LakeError("SOURCE_CHANGED", `${name} changed while it was read`, { path: name ?? "" });
			}
			await store.putFile(path, local);
			await rm(local, { force: true });
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
