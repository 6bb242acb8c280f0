import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFolderSource } from "../../infra/adapters/sources/folder.js";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { claimedSnapshot } from "../../pipelines/lake/publish.js";
import { rollback } from "../../pipelines/lake/rollback.js";
import { readLatestSnapshot, type StoredSnapshot, sha256Of } from "../../pipelines/lake/snapshot.js";
import { planMirror } from "../../pipelines/mirror/plan/plan-mirror.js";
import { claimTools } from "../../pipelines/mirror/publish-run.js";
import type { ImagePool } from "../../pipelines/ports/images.js";
import type { Clock, Progress } from "../../pipelines/ports/run.js";
import type { Store } from "../../pipelines/ports/store.js";
import type { TableFiles } from "../../pipelines/ports/tables.js";
import { runVacuum, type VacuumReport } from "../../pipelines/vacuum/vacuum.js";
import { runMirror, whileSwept } from "../../workers/run/run-mirror.js";
import { archives, openImages, openPredicate, openTables } from "../../workers/wire.js";
import { makeSample } from "../tools/sample/make.js";
import { tempDir } from "./root.js";

/** Mirrors, rollbacks and vacuums of one lake in this process, each with a store of its own; and what is left of it. */

export const SHARDS = ["train_1", "test_1"];
/** Contents that a source may have, each a folder. */
const VARIANTS = 3;
const never = new AbortController().signal;
const silent: Progress = {
	shardStarted() {},
	received() {},
	fetched() {},
	imagesFound() {},
	imageDone() {},
	shardDone() {},
	note() {},
};

export class Variants {
	readonly #root = tempDir("vacuum-variants");
	/** How often a mirror had to make again what vacuum took. */
	sweptRuns = 0;
	readonly #tables: TableFiles;
	#images: { folder: string; pool: ImagePool } | null = null;
	#runs = 0;

	constructor(tables: TableFiles) {
		this.#tables = tables;
	}

	static async open(): Promise<Variants> {
		const made = new Variants(await openTables(tempDir("vacuum-tables").path));
		for (let seed = 1; seed <= VARIANTS; seed++) {
			await makeSample(made.folder(seed), { shards: SHARDS, images: 4, size: 24, seed, planted: null });
		}
		return made;
	}

	async close(): Promise<void> {
		await this.#images?.pool.close();
		await this.#tables.close();
		this.#root.remove();
	}

	folder(variant: number): string {
		return join(this.#root.path, `variant-${variant}`);
	}

	fresh(): string {
		this.#runs += 1;
		return join(this.#root.path, `run-${this.#runs}`);
	}

	/** `irlake mirror` of these shards; returns the number it published, or null when up to date. */
	async mirror(store: Store, stage: string, variant: number, wanted: string[], clock: Clock): Promise<number | null> {
		if (this.#images?.folder !== stage) {
			await this.#images?.pool.close();
			const kind = store.name.startsWith("s3:") ? "scratch" : "folder";
			this.#images = {
				folder: stage,
				pool: await openImages({ stage: { kind, folder: stage }, beginStaging: () => {} }, () => {}),
			};
		}
		const scratch = this.fresh();
		const options = { folder: this.folder(variant), cacheFile: null, rehash: false, dataset: imageRewardDb };
		const source = createFolderSource({ ...options, note: () => {} });
		const codec = async () => "";
		const request = { wanted, settings: {}, newSettings: false, prune: false, keepRejected: false, codec };
		const planTools = {
			dataset: imageRewardDb,
			source,
			store,
			tables: this.#tables,
			clock,
			scratch,
			onFetched() {},
			openPredicate,
		};
		const tools = {
			...planTools,
			archives,
			images: this.#images.pool,
			progress: silent,
			maxRejectRatio: 1,
			keepRejected: false,
		};
		const attempt = async () => {
			const plan = await planMirror(request, planTools, never);
			return runMirror({ plan, request, concurrency: 2, onShardFailure: "fail" }, tools, never);
		};
		const note = (): void => {
			this.sweptRuns += 1;
		};
		const outcome = await whileSwept(attempt, { store, clock, note, signal: never });
		rmSync(scratch, { recursive: true, force: true });
		if (outcome.failure) throw outcome.failure;
		return outcome.published?.snapshot.number ?? null;
	}

	async rollback(store: Store, number: number, clock: Clock): Promise<StoredSnapshot | null> {
		return rollback(
			store,
			imageRewardDb,
			number,
			await claimTools({ tables: this.#tables, scratch: this.fresh(), clock }, never),
		);
	}

	async vacuum(store: Store, keep: number, clock: Clock, grace = 0): Promise<VacuumReport | null> {
		const work = this.fresh();
		const tools = { store, tables: this.#tables, work, clock, signal: never };
		const report = await runVacuum(tools, { keep, keepYounger: 0, grace });
		if (existsSync(work)) throw new Error(`vacuum left ${work}`);
		return report;
	}

	/** Throws where any file of a snapshot that is kept, or of a later one, is absent or other than it should be. Returns the newest. */
	async requireWhole(store: Store, from: number): Promise<number> {
		const latest = (await readLatestSnapshot(store))?.snapshot.number ?? 0;
		const seen = new Set<string>();
		for (let number = from; number <= latest; number++) {
			const { snapshot } = (await claimedSnapshot(store, number)) as StoredSnapshot;
			for (const { receipt } of snapshot.shards) await this.#require(store, receipt, null, number, seen);
			for (const { files } of Object.values(snapshot.tables)) {
				for (const { path, sha256 } of files) await this.#require(store, path, sha256, number, seen);
			}
			for (const { path } of snapshot.tables.images?.files ?? []) {
				if (seen.has(`read ${path}`)) continue;
				seen.add(`read ${path}`);
				for (const { object_key, sha256 } of await this.#rows(store, path)) {
					await this.#require(store, String(object_key), String(sha256), number, seen);
				}
			}
		}
		return latest;
	}

	async #rows(store: Store, path: string): Promise<Record<string, unknown>[]> {
		const local = this.fresh();
		writeFileSync(local, (await store.get(path)) ?? "");
		const rows: Record<string, unknown>[] = [];
		for await (const batch of this.#tables.read(local, ["object_key", "sha256"])) rows.push(...batch);
		return rows;
	}

	async #require(store: Store, path: string, sha256: string | null, number: number, seen: Set<string>): Promise<void> {
		if (seen.has(path)) return;
		seen.add(path);
		const content = await store.get(path);
		if (!content) throw new Error(`snapshot ${number} lacks ${path}`);
		if (sha256 !== null && sha256Of(content) !== sha256) throw new Error(`${path} of snapshot ${number} is another`);
	}
}
