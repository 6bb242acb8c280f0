import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Receipt } from "../../schemas/records.js";
import type { Settings } from "../../schemas/settings.js";
import type { Dataset } from "../datasets/dataset.js";
import type { ArchiveReader, Clock, ImagePool, ImageTask, Progress, Source, Store, TableFiles } from "../ports.js";
import type { RetryPolicy } from "../retry.js";
import { scratchError } from "../scratch-error.js";
import { checkImages } from "./check-images.js";
import { checkRows } from "./check-rows.js";
import { EarlyImages } from "./early-images.js";
import { fetchShard } from "./fetch-shard.js";
import { forgetFailed, keepFailed } from "./keep-failed.js";
import { keepRejected } from "./keep-rejected.js";
import { readShardMetadata, type SplitMetadata } from "./metadata.js";
import { parseRows } from "./parse-rows.js";
import type { ShardPlan } from "./plan.js";
import { judgeRatio, settle } from "./settle.js";
import { tableRows } from "./table-rows.js";
import type { Finding } from "./types.js";
import { countFindings, makeReceipt, writeReceipt } from "./write-receipt.js";
import { writeTables } from "./write-tables.js";

/** The world, as far as a shard needs it. */
export interface ShardTools {
	dataset: Dataset;
	source: Source;
	store: Store;
	archives: ArchiveReader;
	images: ImagePool;
	tables: TableFiles;
	progress: Progress;
	clock: Clock;
	/** Folder for downloads and temporary files, outside the lake. */
	scratch: string;
	/** Of downloads; default RETRY_POLICY. */
	retry?: RetryPolicy;
	maxRejectRatio: number;
	/** Whether the bytes of what goes to quarantine are kept in the lake, beside their rows. */
	keepRejected: boolean;
	/** Told when the shard's zip is here, and the network free for the next one. */
	onArrived?: () => void;
}

/** Numbers the folders of this process: it may do the same shard for two lakes at once. */
let workFolders = 0;

/** A shard that failed, with what had been found by then. */
export class ShardFailed extends LakeError {
	constructor(
		error: LakeError,
		readonly shard: string,
		readonly findings: Receipt["findings"],
		/** Where its findings and its zip are kept; null when there is nothing to keep. */
		readonly kept: string | null,
	) {
		const { code, message, path, hint, exit, retry, cause } = error;
		// The Hub's refusals are 2 before any side effect only; here, work has been done.
		const ends = code.startsWith("HUB_") ? 1 : exit;
		super(code, message, { hint, exit: ends, retry, cause, ...(path === null ? {} : { path }) });
	}
}

/**
 * One shard, from source to receipt: download → unpack → validate → images → tables → receipt.
 * Nothing of it is visible to a reader before a publish names the receipt.
 * @throws ShardFailed, or the abort signal's reason
 */
export async function processShard(
	plan: ShardPlan,
	metadata: SplitMetadata,
	settings: Settings,
	tools: ShardTools,
	signal: AbortSignal,
): Promise<Receipt> {
	const { dataset, store, progress } = tools;
	const { shard, input } = plan;
	let findings: Finding[] = [];
	let zip: string | null = null;
	const early = new EarlyImages(tools.archives, tools.images, settings, signal);
	try {
		const fetched = await fetchShard(plan, tools, early, signal);
		zip = fetched.downloaded ? fetched.zip : null;
		tools.onArrived?.();
		const archive = await tools.archives.open(input, fetched.zip, shard, signal);
		const jsonPath = `${dataset.folderPath(shard)}/${dataset.jsonName(shard)}`;
		if (!archive.json)
			throw new LakeError("JSON_MISSING", `${shard} has no ${dataset.jsonName(shard)}`, { path: jsonPath });
		const values = parseRows(await tools.archives.readJson(archive.json), jsonPath);
		const known = await readShardMetadata(tools.tables, dataset, metadata, shard);
		const rows = checkRows(values, dataset.rowPrefix(shard), known);
		progress.imagesFound(shard, archive.members.length);
		const imageTools = { pool: tools.images, early: (task: ImageTask) => early.resultOf(task), settings };
		const images = await checkImages(archive, rows.rows, imageTools, signal, () => progress.imageDone(shard));
		const settled = settle(rows, images, settings);
		findings = settled.findings;
		judgeRatio(shard, settled.defective, settled.counts.rows_in, tools.maxRejectRatio);
		const tables = tableRows(settled);
		signal.throwIfAborted();
		await store.publishObjects([...new Set(settled.good.map(({ image }) => image.object_key))]);
		workFolders += 1;
		const work = join(tools.scratch, "work", `${process.pid}-${workFolders}-${shard}`);
		if (tools.keepRejected) await keepRejected(settled.findings, images.members, tools, work, signal);
		const files = await writeTables(shard, tables, tools.tables, store, work);
		signal.throwIfAborted();
		const receipt = await writeReceipt(store, makeReceipt(plan, settings, settled, tables, files));
		await fetched.release();
		await forgetFailed(tools.scratch, plan);
		return receipt;
	} catch (error) {
		signal.throwIfAborted();
		const known = knownError(error, shard, tools.scratch);
		const kept = findings.length > 0 || zip !== null ? await keep(plan, tools, known, findings, zip) : null;
		throw new ShardFailed(known, shard, countFindings(findings), kept);
	} finally {
		early.close();
	}
}

function knownError(error: unknown, shard: string, scratch: string): LakeError {
	const known = scratchError(error, scratch);
	return known instanceof LakeError ? known : new LakeError("INTERNAL", `${shard}: ${String(error)}`, { cause: error });
}

/** Keeps what a failed shard leaves. Where that cannot be written either, the shard's own error is the one to tell. */
async function keep(
	plan: ShardPlan,
	{ scratch, progress }: ShardTools,
	error: LakeError,
	findings: Finding[],
	zip: string | null,
): Promise<string | null> {
	try {
		return await keepFailed(scratch, plan, error, findings, zip);
	} catch (cause) {
		progress.note("warn", "what the shard left could not be kept", { shard: plan.shard, reason: systemCode(cause) });
		return null;
	}
}
