import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dataset } from "../pipelines/dataset.js";
import type { PlanTools } from "../pipelines/mirror/plan/plan-mirror.js";
import type { ExportFiles } from "../pipelines/ports/exports.js";
import type { ImagePool } from "../pipelines/ports/images.js";
import type { Clock, Progress } from "../pipelines/ports/run.js";
import type { Source } from "../pipelines/ports/source.js";
import type { TableFiles } from "../pipelines/ports/tables.js";
import { tellRetries } from "../pipelines/retry.js";
import { LakeError } from "../schemas/errors.js";
import { systemClock } from "./clock.js";
import { requireScratch } from "./preflight.js";
import * as wire from "./wire.js";

export type SessionOptions = wire.StoreOptions &
	Omit<wire.SourceOptions, "source"> & {
		source?: string | undefined;
		/** Its name. */
		dataset?: string | undefined;
	};

export interface SessionContext {
	options: SessionOptions;
	/** The datasets that this program knows. */
	datasets: readonly Dataset[];
	env: NodeJS.ProcessEnv;
	note: Progress["note"];
	/** Ends what is under way. */
	signal: AbortSignal;
	clock?: Clock;
}

interface SessionRules {
	/** What is read and made lies in a folder that the end removes; nothing is remembered. */
	leavesNothing?: boolean;
}

/**
 * One command's lake, and whatever else it needs of the world: each opened when it is first asked for, and closed in
 * the opposite order by `await using`. Whoever holds it that way returns what is awaited: `return await work(session)`.
 */
export class Session implements AsyncDisposable {
	readonly store: wire.LakeStore;
	readonly dataset: Dataset;
	/** The address of the source: the one given, else the dataset's own. */
	readonly sourceUri: string;
	/** Bytes of metadata that came over the network. */
	metadataBytes = 0;
	readonly #context: SessionContext;
	readonly #leavesNothing: boolean;
	readonly #opened = new Map<string, Promise<unknown>>();
	readonly #closers: (() => Promise<unknown>)[] = [];
	#closed = false;

	constructor(context: SessionContext, store: wire.LakeStore, dataset: Dataset, rules: SessionRules) {
		this.#context = context;
		this.#leavesNothing = rules.leavesNothing ?? false;
		this.store = store;
		this.dataset = dataset;
		this.sourceUri = wire.sourceUri(context.options, dataset);
	}

	/** Opens the lake's storage, and chooses the dataset. Throws USAGE, LAKE_UNSUPPORTED. */
	static async open(context: SessionContext, rules: SessionRules = {}): Promise<Session> {
		const store = await wire.openStore(context.options, context);
		const dataset = await wire.chooseDataset(context.datasets, context.options, store);
		return new Session(context, store, dataset, rules);
	}

	get clock(): Clock {
		return this.#context.clock ?? systemClock;
	}

	/** `--scratch`, which need not exist yet. Throws USAGE where it cannot be written to. */
	scratch(): Promise<string> {
		return this.#once("scratch", () => requireScratch(this.#context.options, this.#context.env));
	}

	/** The folder for downloads and temporary files: `--scratch`, or a folder of this session's own. */
	work(): Promise<string> {
		if (!this.#leavesNothing) return this.scratch();
		return this.#once("work", async () => {
			const folder = await mkdtemp(join(tmpdir(), "irlake-"));
			this.atEnd(() => rm(folder, { recursive: true, force: true }));
			return folder;
		});
	}

	tables(): Promise<TableFiles> {
		return this.#once("tables", async () => this.#closing(await wire.openTables(await this.work())));
	}

	exportFiles(): Promise<ExportFiles> {
		return this.#once("exports", async () => this.#closing(await wire.openExportFiles(await this.work())));
	}

	/** The image threads; what they find good is staged for the store, or in a folder. */
	images(stagedIn: string | null = null): Promise<ImagePool> {
		return this.#once("images", async () => {
			return this.#closing(await wire.openImages(stagedIn ?? this.store, this.#context.note));
		});
	}

	/** The source at this address, opened once for each. Throws USAGE. */
	source(uri: string = this.sourceUri): Promise<Source> {
		return this.#once(`source ${uri}`, async () => {
			const { options, env, note, datasets } = this.#context;
			const scratch = await this.scratch();
			const tools = { clock: this.clock, note, dryRun: this.#leavesNothing, scratch, env, datasets };
			return this.#closing(await wire.openSource({ ...options, source: uri }, this.dataset, tools));
		});
	}

	/** What a plan is made with. */
	async planTools(): Promise<PlanTools & { store: wire.LakeStore }> {
		const { note, options } = this.#context;
		return {
			dataset: this.dataset,
			source: await this.source(),
			store: this.store,
			tables: await this.tables(),
			clock: this.clock,
			scratch: await this.work(),
			retry: wire.retryPolicy(options),
			onRetry: tellRetries(note),
			onFetched: (bytes) => {
				this.metadataBytes += bytes;
			},
			openPredicate: wire.openPredicate,
		};
	}

	/** Has something done when the session ends, before what was opened by now is closed. */
	atEnd(close: () => Promise<unknown>): void {
		this.#closers.push(close);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	/** Never rejects: what the command did is done, and what it failed of is to be told. */
	async close(): Promise<void> {
		this.#closed = true;
		await Promise.allSettled(this.#opened.values());
		for (const close of this.#closers.reverse()) {
			await close().catch((error) => this.#context.note("warn", "Not all could be closed.", { reason: String(error) }));
		}
	}

	#closing<T extends { close(): Promise<void> }>(opened: T): T {
		this.atEnd(() => opened.close());
		return opened;
	}

	/** Throws INTERNAL once the session is closed: nobody would close what were opened then. */
	async #once<T>(what: string, open: () => Promise<T>): Promise<T> {
		if (this.#closed) throw new LakeError("INTERNAL", `The session was closed before its ${what} was asked for.`);
		// One name stands for one kind of thing.
		const opened = (this.#opened.get(what) as Promise<T> | undefined) ?? open();
		this.#opened.set(what, opened);
		return opened;
	}
}
