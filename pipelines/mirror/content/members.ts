import type { LakeError } from "../../../schemas/errors.js";
import { RangedZip } from "../../fetch/ranged-zip.js";
import type { Archive, ArchiveReader, Member, MemberRef, ShardFiles } from "../../ports/archive.js";
import type { ImageResult } from "../../ports/images.js";
import type { Clock } from "../../ports/run.js";
import type { ShardInput, Source } from "../../ports/source.js";
import type { RetryPolicy } from "../../retry.js";

/** Single members of a shard, wherever it is; of a zip elsewhere, only they are fetched. */
export interface ShardMembers {
	/** All but the JSON, as the directory has them. */
	all: Member[];
	/** Members of these names, made ready to be read; those that the shard lacks are left out. */
	bring(names: string[]): Promise<Map<string, MemberRef>>;
	/** The verdict on a member that was brought. */
	judge(ref: MemberRef, run: () => Promise<ImageResult>): Promise<ImageResult>;
	release(): Promise<void>;
}

interface MemberTools {
	source: Source;
	archives: ArchiveReader;
	scratch: string;
	clock: Clock;
	retry?: RetryPolicy;
	onRetry: (error: LakeError, seconds: number) => void;
	/** Bytes that came over the network. */
	onFetched(bytes: number): void;
}

/** Throws ZIP_CORRUPT, ZIP_UNSAFE, and what the source throws. */
export async function openMembers(
	input: ShardInput,
	files: ShardFiles,
	tools: MemberTools,
	signal: AbortSignal,
): Promise<ShardMembers> {
	const { source, archives, onFetched: onBytes } = tools;
	const local = input.form === "zip" ? source.localPath(input.file) : null;
	if (input.form === "unpacked" || local !== null) {
		const archive = await archives.open(input, local, files, signal);
		return {
			all: archive.members,
			bring: async (names) => chosen(archive, names).refs,
			judge: (_, run) => run(),
			release: async () => {},
		};
	}
	const ranged = await RangedZip.open(input, files, { ...tools, signal, onBytes });
	return {
		all: ranged.archive.members,
		async bring(names) {
			const { members, refs } = chosen(ranged.archive, names);
			await ranged.bring(members);
			return refs;
		},
		judge: (ref, run) => ranged.judge(ref, run),
		release: () => ranged.release(),
	};
}

function chosen({ members }: Archive, names: string[]): { members: Member[]; refs: Map<string, MemberRef> } {
	const wanted = new Set(names);
	const found = members.filter(({ name }) => wanted.has(name));
	return { members: found, refs: new Map(found.map(({ name, ref }) => [name, ref])) };
}
