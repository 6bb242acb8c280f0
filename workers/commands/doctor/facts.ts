import { setTimeout as sleep } from "node:timers/promises";
import { shardParts } from "../../../pipelines/dataset.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import type { HubReply } from "../../../pipelines/doctor/access.js";
import { bounded } from "../../../pipelines/doctor/check.js";
import { type SourceSurvey, surveyOfListing, type Wanted } from "../../../pipelines/doctor/source.js";
import { surveyFolder } from "../../../pipelines/doctor/survey-folder.js";
import { readLatestSnapshot, type StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import type { Clock } from "../../../pipelines/ports/run.js";
import type { StoreProbe } from "../../../pipelines/ports/store.js";
import type { Options } from "../../../schemas/config.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { parseSource, wantedShards } from "../../options.js";
import { requireLake } from "../../preflight.js";
import {
	askHub,
	findToken,
	type LakeStore,
	openSource,
	openStore,
	openStoreProbe,
	type StoreTools,
} from "../../wire.js";

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
	readonly options: Options;
	readonly env: NodeJS.ProcessEnv;
	readonly wanted: Wanted;
	/** Null where the lake is no folder of this machine's. */
	readonly lakeFolder: string | null;
	/** What the source holds. */
	readonly survey: () => Promise<SourceSurvey>;
	/** What the source's Hub says to a question. */
	readonly reply: () => Promise<HubReply>;
	/** What the lake holds; null before the first publish. */
	readonly snapshot: () => Promise<StoredSnapshot | null>;
	/** The store's probe. Rejects if its place refuses writes, or is no lake. */
	readonly room: () => Promise<StoreProbe>;
	readonly #rooms: StoreProbe[] = [];
	/** Writes under way, which go on when a check is given up. */
	readonly #writes: Promise<unknown>[] = [];

	readonly #tools: Pick<StoreTools, "signal" | "env" | "clock">;

	private constructor(options: Options, store: LakeStore, tools: Pick<StoreTools, "signal" | "env" | "clock">) {
		const { env, signal } = tools;
		this.#tools = tools;
		const within = <T>(work: (stop: AbortSignal) => Promise<T>): (() => Promise<T>) =>
			once(() => bounded(work, ANSWER_SECONDS, signal));
		const shards = wantedShards(imageRewardDb, options);
		const splits = imageRewardDb.splits.filter((split) => shards.some((shard) => shardParts(shard).split === split));
		this.options = options;
		this.env = env;
		this.wanted = { shards, splits };
		this.lakeFolder = store.localPath("latest.json") === null ? null : store.name;
		this.survey = within((stop) => surveySource(this, stop));
		const ask = within((stop) => askHub({ ...options, ...QUICKLY }, QUIETLY, env, stop));
		this.reply = () => ask().catch(noReply);
		this.snapshot = within(async () => {
			await requireLake(store);
			return readLatestSnapshot(store);
		});
		this.room = within(() => this.use(this.#openRoom(store)));
	}

	/** Throws USAGE and LAKE_UNSUPPORTED: what was asked for is no source, no lake. */
	static async of(options: Options, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<DoctorFacts> {
		const tools = { signal, env, clock: HASTY };
		const facts = new DoctorFacts(options, await openStore(options, tools), tools);
		await findToken(options, env);
		return facts;
	}

	/** Lets work in the room be waited for at the end. */
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
		for (const room of this.#rooms) await room.remove();
	}

	async #openRoom(store: LakeStore): Promise<StoreProbe> {
		await requireLake(store);
		const room = await openStoreProbe(this.options, this.#tools);
		this.#rooms.push(room);
		return room;
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

async function surveySource({ options, env, wanted }: DoctorFacts, signal: AbortSignal): Promise<SourceSurvey> {
	const address = parseSource(options.source);
	if (address.kind === "folder") return surveyFolder(address.folder, imageRewardDb, wanted, signal);
	const source = await openSource({ ...options, ...QUICKLY }, imageRewardDb, "", QUIETLY, env);
	try {
		return surveyOfListing(await source.list(wanted, signal));
	} finally {
		await source.close();
	}
}
