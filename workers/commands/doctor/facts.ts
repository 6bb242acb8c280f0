import { setTimeout as sleep } from "node:timers/promises";
import type { Dataset } from "../../../pipelines/dataset.js";
import { bounded } from "../../../pipelines/doctor/check.js";
import { type SourceSurvey, surveyOfListing, type Wanted } from "../../../pipelines/doctor/source.js";
import { surveyFolder } from "../../../pipelines/doctor/survey-folder.js";
import { LATEST } from "../../../pipelines/lake/paths.js";
import { readLatestSnapshot, type StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import type { Clock } from "../../../pipelines/ports/run.js";
import type { HubReply } from "../../../pipelines/ports/source.js";
import type { StoreProbe } from "../../../pipelines/ports/store.js";
import { splitsOf } from "../../../pipelines/splits.js";
import { LakeError } from "../../../schemas/errors.js";
import { parseSource } from "../../addresses.js";
import { systemClock } from "../../clock.js";
import type { CommandContext } from "../../command-line/command.js";
import type { LakeOptions, WantedOptions } from "../../command-line/options.js";
import { wantedShards } from "../../options.js";
import { Session, type SessionOptions } from "../../session.js";
import { askHub, findToken, type LakeStore, openSource, openStoreProbe } from "../../wire.js";

export type DoctorOptions = LakeOptions & WantedOptions & SessionOptions & { concurrency: number };

/** Longest wait for source and lake; shorter than a whole check's, so that what builds on them can do without. */
const ANSWER_SECONDS = 10;
/** Longest wait for writes that are under way when all else is over. */
const CLOSE_SECONDS = 5;
/** One further attempt: a person waits for it. */
const QUICKLY = { retries: 1, retry_wait: 0.5 };
const QUIETLY = { clock: systemClock, note: () => {} };
/** A store's many tries, a tenth of the time apart. */
const HASTY: Clock = { now: systemClock.now, sleep: (seconds, signal) => systemClock.sleep(seconds / 10, signal) };

/** What several of doctor's checks look at: each fetched once, when it is first wanted, and never longer than its time. */
export class DoctorFacts {
	readonly options: DoctorOptions;
	readonly env: NodeJS.ProcessEnv;
	readonly dataset: Dataset;
	/** The address of the source. */
	readonly sourceUri: string;
	readonly wanted: Wanted;
	/** Null where the lake is no folder of this machine's. */
	readonly lakeFolder: string | null;
	/** What the source holds. */
	readonly survey: () => Promise<SourceSurvey>;
	/** What the source's Hub says to a question. */
	readonly reply: () => Promise<HubReply>;
	/** What the lake holds; null before the first publish. */
	readonly snapshot: () => Promise<StoredSnapshot | null>;
	/** Where writes can be tried out. Rejects where the lake's place refuses them, or is no lake. */
	readonly probe: () => Promise<StoreProbe>;
	readonly #probes: StoreProbe[] = [];
	/** Writes under way, which go on when a check is given up. */
	readonly #writes: Promise<unknown>[] = [];

	readonly #context: CommandContext<DoctorOptions>;

	constructor(context: CommandContext<DoctorOptions>, { store, dataset, sourceUri }: Session) {
		const { options, env, signal } = context;
		this.#context = context;
		const within = <T>(work: (stop: AbortSignal) => Promise<T>): (() => Promise<T>) =>
			once(() => bounded(work, ANSWER_SECONDS, signal));
		const shards = wantedShards(dataset, options);
		const splits = splitsOf(dataset, shards);
		this.options = options;
		this.env = env;
		this.dataset = dataset;
		this.sourceUri = sourceUri;
		this.wanted = { shards, splits };
		this.lakeFolder = store.localPath(LATEST) === null ? null : store.name;
		this.survey = within((stop) => surveySource(this, stop));
		const ask = within((stop) => askHub({ ...options, ...QUICKLY, source: sourceUri }, QUIETLY, env, stop));
		this.reply = () => ask().catch(noReply);
		this.snapshot = within(async () => {
			await store.requireLake();
			return readLatestSnapshot(store);
		});
		this.probe = within(() => this.use(this.#openProbe(store)));
	}

	/** Throws USAGE and LAKE_UNSUPPORTED: what was asked for is no source, no lake. */
	static async of(context: CommandContext<DoctorOptions>): Promise<DoctorFacts> {
		await using session = await Session.open({ ...context, note: () => {}, clock: HASTY });
		const facts = new DoctorFacts(context, session);
		await findToken(session.sourceUri, context.env);
		return facts;
	}

	/** Has writes under way waited for at the end. */
	use<T>(work: Promise<T>): Promise<T> {
		this.#writes.push(work);
		return work;
	}

	/** Leaves nothing behind. */
	async close(): Promise<void> {
		const late = new AbortController();
		const giveUp = sleep(CLOSE_SECONDS * 1000, undefined, { signal: late.signal }).catch(() => {});
		await Promise.race([Promise.allSettled(this.#writes), giveUp]);
		late.abort();
		for (const probe of this.#probes) await probe.remove();
	}

	async #openProbe(store: LakeStore): Promise<StoreProbe> {
		await store.requireLake();
		const probe = await openStoreProbe(this.options, { ...this.#context, note: () => {}, clock: HASTY });
		this.#probes.push(probe);
		return probe;
	}
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
	let made: Promise<T> | undefined;
	return () => {
		made ??= make();
		return made;
	};
}

function noReply(error: unknown): HubReply {
	if (!(error instanceof LakeError)) throw error;
	return { date: null, at: new Date(), error };
}

async function surveySource(facts: DoctorFacts, signal: AbortSignal): Promise<SourceSurvey> {
	const { options, env, dataset, sourceUri, wanted } = facts;
	const address = parseSource(sourceUri);
	if (address.kind === "folder") return surveyFolder(address.folder, dataset, wanted, signal);
	const source = await openSource({ ...options, ...QUICKLY, source: sourceUri }, dataset, {
		...QUIETLY,
		scratch: "",
		env,
	});
	try {
		return surveyOfListing(await source.list(wanted, signal));
	} finally {
		await source.close();
	}
}
