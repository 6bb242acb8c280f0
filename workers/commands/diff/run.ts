import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import { type Diff, reversed } from "../../../pipelines/diff/diff.js";
import { type DiffTools, diffSnapshots } from "../../../pipelines/diff/diff-snapshots.js";
import { diffSource } from "../../../pipelines/diff/diff-source.js";
import { chooseSnapshot } from "../../../pipelines/lake/choose-snapshot.js";
import { tellRetries } from "../../../pipelines/retry.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { wantedShards } from "../../options.js";
import { lazyTables, requireScratch } from "../../preflight.js";
import { diffText } from "../../report/diff-text.js";
import { openProgress } from "../../report/progress.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import { archives, openPredicate, openSource, openStore, retryPolicy } from "../../wire.js";

const dataset = imageRewardDb;
const SOURCE = "source";

/** `irlake diff A B`: what differs between two snapshots, or a snapshot and the source. Leaves nothing behind. */
export async function diff(context: CommandContext, before: string, after: string): Promise<CommandResult> {
	const { options, env, note, signal, say } = context;
	if (before === SOURCE && after === SOURCE) throw new LakeError("USAGE", "one of the two must be a snapshot");
	const store = await openStore(options, { signal, note, env });
	const named = [before, after].filter((name) => name !== SOURCE);
	const [first, second] = await Promise.all(named.map((name) => chooseSnapshot(store, name, "a snapshot")));
	if (!first) throw new LakeError("INTERNAL", "no snapshot was named");
	const own = await mkdtemp(join(tmpdir(), "irlake-diff-"));
	const tables = lazyTables(own);
	const progress = openProgress(context, context.drawn, 1);
	const tools: DiffTools = {
		...{ dataset, store, tables, work: own, limit: options.limit || Number.POSITIVE_INFINITY },
		onShards: (count) => {
			progress.shardStarted("shards", 0);
			progress.imagesFound("shards", count);
		},
		onShard: () => progress.imageDone("shards"),
	};
	try {
		const found = second
			? await diffSnapshots(first, second, tools, signal)
			: await againstSource(context, first, tools, note);
		const told = before === SOURCE ? reversed(found) : found;
		progress.close();
		say(diffText(told, options.lake));
		return { exit: told.equal ? 0 : 4, document: { ...told } };
	} finally {
		progress.close();
		await tables.close();
		await rm(own, { recursive: true, force: true });
	}
}

async function againstSource(
	{ options, env, signal }: CommandContext,
	snapshot: Parameters<typeof diffSource>[0],
	tools: DiffTools,
	note: (level: "info" | "warn", message: string, fields?: Record<string, unknown>) => void,
): Promise<Diff> {
	const wanted = wantedShards(dataset, options);
	// Hashes of a folder's zips, remembered by earlier runs.
	const scratch = await requireScratch(options, env);
	const source = await openSource(options, dataset, scratch, { clock: systemClock, note, dryRun: true }, env);
	try {
		const more = {
			source,
			archives,
			clock: systemClock,
			scratch: tools.work,
			retry: retryPolicy(options),
			onRetry: tellRetries(note),
			onFetched: () => {},
			openPredicate,
		};
		return await diffSource(snapshot, wanted, { ...tools, ...more }, signal);
	} finally {
		await source.close();
	}
}
