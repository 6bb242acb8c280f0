import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import { settleLake } from "../../../pipelines/lake/publish.js";
import { readLatest } from "../../../pipelines/lake/snapshot.js";
import type { MirrorOutcome } from "../../../pipelines/mirror/outcome.js";
import { planMirror } from "../../../pipelines/mirror/plan/plan-mirror.js";
import type { ImagePool } from "../../../pipelines/ports/images.js";
import { tellRetries } from "../../../pipelines/retry.js";
import { scratchError } from "../../../pipelines/scratch/errors.js";
import { sweepParts } from "../../../pipelines/scratch/part-owner.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { readExpected } from "../../expect.js";
import { Interrupted } from "../../interrupt.js";
import { claimLake, mirrorRequest, tellPlan } from "../../mirror-steps.js";
import { lazyTables, requireLake, requirePredicate, requireScratch, requireSpace } from "../../preflight.js";
import { durationText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import { closing, emptyDocument, type Spent } from "../../report/run-report.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import { runMirror, whileSwept } from "../../run-mirror.js";
import { archives, openImages, openPredicate, openSource, openStore, retryPolicy } from "../../wire.js";

const dataset = imageRewardDb;

/** `irlake mirror`: plan, process every shard, publish. */
export async function mirror(context: CommandContext): Promise<CommandResult> {
	const { options, env, note, signal } = context;
	const started = performance.now();
	const request = mirrorRequest(options);
	await requirePredicate(options);
	const expectations = await readExpected(options);
	const store = await openStore(options, { signal, note, env });
	await requireLake(store);
	const scratch = await requireScratch(options, env);
	const source = await openSource(options, dataset, scratch, { clock: systemClock, note }, env);
	const tables = lazyTables(scratch);
	let metadataBytes = 0;
	let images: ImagePool | null = null;
	/** One of each attempt. */
	const drawn: RunProgress[] = [];
	const spent = (): Spent => {
		const bytes = drawn.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, metadataBytes);
		return { bytes, seconds: since(started) };
	};
	const clock = systemClock;
	try {
		// A new lake has work in any case: the image host starts while the plan is made.
		if (await readLatest(store)) await settleLake(store);
		else images = await openImages(store, note);
		const onFetched = (bytes: number): void => {
			metadataBytes += bytes;
		};
		const onRetry = tellRetries(note);
		const retry = retryPolicy(options);
		const planTools = { dataset, source, store, tables, clock, scratch, openPredicate, retry, onRetry, onFetched };
		const run = { concurrency: options.concurrency, onShardFailure: options.on_shard_failure };
		const attempt = async (): Promise<MirrorOutcome> => {
			const plan = await planMirror(request, planTools, signal);
			tellPlan(plan, context);
			await requireSpace(store, plan, note);
			const todo = plan.shards.filter(({ action }) => action === "process");
			const progress = openProgress(context, context.drawn, todo.length);
			drawn.push(progress);
			if (!plan.upToDate) await claimLake(store);
			if (todo.length > 0) images ??= await openImages(store, note);
			const tools = {
				...{ ...planTools, archives, images: images ?? noImages, progress },
				...{ maxRejectRatio: options.max_reject_ratio, keepRejected: options.keep_rejected },
			};
			return runMirror({ plan, request, ...run }, tools, signal).finally(() => progress.close());
		};
		const outcome = await whileSwept(attempt, { store, clock, note, signal });
		await sweepParts(scratch);
		const expecting = expectations && { expectations, tables, scratch };
		return await closing(context, outcome, { store, expecting }, spent());
	} catch (error) {
		for (const progress of drawn) progress.close();
		if (!(error instanceof Interrupted)) throw scratchError(error, scratch);
		return interrupted(context, error, spent());
	} finally {
		await images?.close();
		await tables.close();
		await source.close();
		await store.dropStaged().catch(() => {});
	}
}

function since(started: number): number {
	return Math.round(performance.now() - started) / 1000;
}

/** Stands where no shard is processed. */
const noImages: ImagePool = {
	run: () => Promise.reject(new LakeError("INTERNAL", "no shard was planned, but an image came")),
	close: async () => {},
};

function interrupted({ say }: CommandContext, error: Interrupted, spent: Spent): CommandResult {
	const hint = "Run the same command again: finished shards and downloaded bytes are kept.";
	say(`interrupted after ${durationText(spent.seconds)}; nothing was published`);
	return {
		exit: error.exitCode,
		document: { ...emptyDocument(spent), state: "interrupted" },
		error: { code: "INTERRUPTED", message: error.message, hint, path: null },
	};
}
