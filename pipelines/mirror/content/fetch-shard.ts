import { LakeError } from "../../../schemas/errors.js";
import { download } from "../../fetch/download.js";
import { tellRetries } from "../../retry.js";
import { hashFile } from "../../scratch/hash-file.js";
import type { ShardPlan } from "../plan/decide.js";
import {
	type ContentTask,
	type ContentTools,
	RangedContent,
	type ShardContent,
	WholeContent,
} from "./shard-content.js";
import { SpeculativeImages } from "./speculative-images.js";

/** A shard's zip on this machine, with the hash that the plan names. */
interface Fetched {
	/** Null of an unpacked shard. */
	zip: string | null;
	/** Whether the zip is ours, in scratch. */
	downloaded: boolean;
	/** Gives up what was downloaded. */
	release(): Promise<void>;
}

/** Has the shard's content here, but for a shard that is read by ranges: that is fetched as it is asked for. */
export async function fetchShard(task: ContentTask, tools: ContentTools): Promise<ShardContent> {
	const { plan, settings, signal } = task;
	tools.progress.shardStarted(plan.shard, plan.fetchBytes);
	if (plan.selection?.ranged) return new RangedContent(task, tools);
	const early = new SpeculativeImages(tools, plan.files.format, settings, signal);
	try {
		const fetched = await fetchWhole(plan, tools, early, signal);
		tools.onArrived?.();
		return new WholeContent(task, tools, early, fetched);
	} catch (error) {
		early.close();
		throw error;
	}
}

/** Downloads the shard's zip, or holds a local one against its hash; an unpacked shard was hashed while it was listed. */
async function fetchWhole(
	{ shard, input }: ShardPlan,
	tools: ContentTools,
	early: SpeculativeImages,
	signal: AbortSignal,
): Promise<Fetched> {
	const { source, progress, clock, scratch, retry } = tools;
	const nothing = async (): Promise<void> => {};
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
		early.arrived(part, bytes);
	};
	const onRestart = (): void => early.restart();
	const onRetry = tellRetries((...told) => progress.note(...told), { shard });
	const part = await download(source, input.file, {
		scratch,
		clock,
		signal,
		retry,
		onBytes,
		onRestart,
		onRetry,
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
	throw new LakeError("SOURCE_CHANGED", `${path} has changed since it was listed.`, { path });
}
