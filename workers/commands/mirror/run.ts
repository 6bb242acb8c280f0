import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import { sweepParts } from "../../../pipelines/fetch/parts.js";
import { ensureLakeId } from "../../../pipelines/lake/lake-id.js";
import { settleLake } from "../../../pipelines/lake/publish.js";
import { readLatest } from "../../../pipelines/lake/snapshot.js";
import { type MirrorPlan, type MirrorRequest, planMirror } from "../../../pipelines/mirror/plan/plan-mirror.js";
import type { ImagePool } from "../../../pipelines/ports/images.js";
import { tellRetries } from "../../../pipelines/retry.js";
import { scratchError } from "../../../pipelines/scratch/errors.js";
import type { Options } from "../../../schemas/config.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { readExpected } from "../../expect.js";
import { Interrupted } from "../../interrupt.js";
import { wantedShards } from "../../options.js";
import { lazyTables, requireLake, requirePredicate, requireScratch, requireSpace } from "../../preflight.js";
import { countedText, durationText, sizeText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import { closing, emptyDocument, type Spent } from "../../report/run-report.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import { type MirrorOutcome, runMirror, whileSwept } from "../../run-mirror.js";
import {
	archives,
	codecVersion,
	type LakeStore,
	openImages,
	openPredicate,
	openSource,
	openStore,
	retryPolicy,
} from "../../wire.js";

const dataset = imageRewardDb;

/** What the flags ask for. Throws USAGE. */
export function mirrorRequest(options: Options): MirrorRequest {
	if (options.prune && options.shards !== undefined) {
		throw new LakeError("USAGE", "--prune cannot stand beside --shards", {
			hint: "Use --subset or --split to say what the lake shall hold.",
		});
	}
	return {
		wanted: wantedShards(dataset, options),
		settings: options,
		newSettings: options.new_settings,
		prune: options.prune,
		keepRejected: options.keep_rejected,
		codec: codecVersion,
	};
}

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
			return runMirror(plan, request, tools, run, signal).finally(() => progress.close());
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

/** Gives a new lake its id. A store that cannot be written to safely is refused here, before anything is fetched. */
export async function claimLake(store: LakeStore): Promise<string> {
	if (store.kind === "s3") await store.prepareWrites();
	return ensureLakeId(store);
}

export function tellPlan({ listing, shards }: MirrorPlan, { log }: CommandContext): void {
	const todo = shards.filter(({ action }) => action === "process");
	const bytes = todo.reduce((sum, { fetchBytes }) => sum + fetchBytes, 0);
	for (const path of listing.unknownZips) log.warn({ path }, `${path} is no known shard: ignored`);
	for (const { shard, reason, action } of shards) if (action === "keep") log.warn({ shard }, `${shard}: ${reason}`);
	if (listing.explicitCommit)
		log.info({ commit: listing.commit }, "an explicit commit: it may replace shards read at a later one");
	log.info(
		{ source: listing.uri, commit: listing.commit, shards: shards.length, to_do: todo.length, bytes },
		todo.length === 0
			? "no shard to do"
			: `${todo.length} of ${countedText(shards.length, "shard")} to do, ${sizeText(bytes)}`,
	);
}

function interrupted({ say }: CommandContext, error: Interrupted, spent: Spent): CommandResult {
	const hint = "Run the same command again: finished shards and downloaded bytes are kept.";
	say(`interrupted after ${durationText(spent.seconds)}; nothing was published`);
	return {
		exit: error.exitCode,
		document: { ...emptyDocument(spent), state: "interrupted" },
		error: { code: "INTERRUPTED", message: error.message, hint, path: null },
	};
}
