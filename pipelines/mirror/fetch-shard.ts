import { LakeError } from "../../schemas/errors.js";
import { hashFile } from "../hash-file.js";
import type { Clock, Progress, Source } from "../ports.js";
import { type RetryPolicy, tellRetries } from "../retry.js";
import { download } from "./download.js";
import type { ShardPlan } from "./plan.js";

/** A shard's content on this machine, with the hash that the plan names. */
interface Fetched {
	/** Null of an unpacked shard. */
	zip: string | null;
	/** Whether the zip is ours, in scratch. */
	downloaded: boolean;
	/** Gives up what was downloaded. */
	release(): Promise<void>;
}

/** Told of a zip's bytes as they come. */
interface Arrivals {
	arrived(zip: string, bytes: number): void;
	restart(): void;
}

/** Downloads the shard's zip, or holds a local one against its hash; an unpacked shard was hashed while it was listed. */
export async function fetchShard(
	{ shard, input }: ShardPlan,
	tools: { source: Source; progress: Progress; clock: Clock; scratch: string; retry?: RetryPolicy },
	arrivals: Arrivals,
	signal: AbortSignal,
): Promise<Fetched> {
	const { source, progress, clock, scratch, retry } = tools;
	const nothing = async (): Promise<void> => {};
	progress.shardStarted(shard, input.bytes);
	if (input.form === "unpacked") {
		progress.received(shard, input.bytes);
		return { zip: null, downloaded: false, release: nothing };
	}
	const local = source.localPath(input.file);
	if (local !== null) {
		await requireHash(local, input.sha256, signal, (bytes) => progress.received(shard, bytes));
		return { zip: local, downloaded: false, release: nothing };
	}
	const onBytes = (bytes: number, part: string): void => {
		progress.received(shard, bytes);
		arrivals.arrived(part, bytes);
	};
	const onRestart = (): void => arrivals.restart();
	const onRetry = tellRetries((...told) => progress.note(...told), { shard });
	const part = await download(source, input.file, {
		...{ scratch, clock, signal, retry, onBytes, onRestart, onRetry },
		mismatch: "SHARD_HASH_MISMATCH",
	});
	progress.fetched(part.fetched);
	return { zip: part.path, downloaded: true, release: part.release };
}

/** A local copy may have changed since its hash was taken, in an earlier run perhaps. */
async function requireHash(
	path: string,
	sha256: string,
	signal: AbortSignal,
	onBytes: (bytes: number) => void,
): Promise<void> {
	if ((await hashFile(path, { signal, onBytes })) === sha256) return;
	throw new LakeError("SOURCE_CHANGED", `${path} changed since it was listed`, { path });
}
