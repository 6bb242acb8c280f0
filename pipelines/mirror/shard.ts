import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Receipt } from "../../schemas/records.js";
import type { Settings } from "../../schemas/settings.js";
import type { Dataset } from "../dataset.js";
import type { Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { scratchError } from "../scratch/errors.js";
import { forgetFailed, keepFailed } from "../scratch/failed.js";
import { despiteStandstills } from "../scratch/marks.js";
import { workFolder } from "../scratch/work-folder.js";
import { checkImages, memberTasks } from "./check/check-images.js";
import { checkRows } from "./check/check-rows.js";
import { parseRows } from "./check/parse-json.js";
import { judgeRatio, settle } from "./check/reconcile.js";
import type { Finding } from "./check/verdict.js";
import { fetchShard } from "./content/fetch-shard.js";
import type { ContentTools, ShardContent } from "./content/shard-content.js";
import { requireNoDoubt, withoutDoubt } from "./content/whole-zip-fallback.js";
import type { ShardPlan } from "./plan/decide.js";
import { readShardMetadata, type SplitMetadata } from "./plan/metadata.js";
import { keepRejected } from "./write/keep-rejected.js";
import { tableRows } from "./write/table-rows.js";
import { countFindings, makeReceipt, writeReceipt } from "./write/write-receipt.js";
import { writeTables } from "./write/write-tables.js";

/** The world, as far as a shard needs it. `scratch` is the folder for downloads and temporary files, outside the lake. */
export interface ShardTools extends ContentTools {
	dataset: Dataset;
	store: Store;
	tables: TableFiles;
	maxRejectRatio: number;
	/** Whether the bytes of what goes to quarantine are kept in the lake, beside their rows. */
	keepRejected: boolean;
}

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
 * One shard, from source to receipt: download → unpack → validate → images → tables → receipt. Where parts of its zip
 * are fetched and leave a doubt, once more, of the whole zip.
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
	const { note } = tools.progress;
	const once = () => processOnce(plan, metadata, settings, tools, signal);
	const again = (error: unknown) => {
		note("warn", "the process stood still, and the shard begins again", { shard: plan.shard, reason: String(error) });
	};
	try {
		return await despiteStandstills(once, again, signal);
	} catch (error) {
		if (!(error instanceof ShardFailed)) throw error;
		const whole = withoutDoubt(plan, error);
		if (whole === null) throw error;
		const { shard, code, path } = error;
		note("warn", "parts of a zip are wrong; the whole zip is fetched to be sure", { shard, code, path });
		return processOnce(whole, metadata, settings, tools, signal);
	}
}

async function processOnce(
	plan: ShardPlan,
	metadata: SplitMetadata,
	settings: Settings,
	tools: ShardTools,
	signal: AbortSignal,
): Promise<Receipt> {
	const { dataset, store, progress } = tools;
	const { shard } = plan;
	let findings: Finding[] = [];
	let content: ShardContent | null = null;
	try {
		content = await fetchShard(plan, settings, tools, signal);
		const archive = await content.open();
		const jsonPath = `${dataset.folderPath(shard)}/${dataset.jsonName(shard)}`;
		if (!archive.json)
			throw new LakeError("JSON_MISSING", `${shard} has no ${dataset.jsonName(shard)}`, { path: jsonPath });
		const values = parseRows(await content.readJson(archive.json), jsonPath);
		const known = await readShardMetadata(tools.tables, dataset, metadata, shard);
		const rows = checkRows(values, dataset.rowPrefix(shard), known);
		const tasks = memberTasks(archive.members, rows.rows, settings.where !== null);
		progress.imagesFound(shard, tasks.length);
		await content.bring(tasks.map(({ member }) => member));
		const images = await checkImages(archive.members, tasks, content, signal, () => progress.imageDone(shard));
		const settled = settle(rows, images, settings);
		requireNoDoubt(plan, settled.findings);
		findings = settled.findings;
		judgeRatio(shard, settled.defective, settled.counts.rows_in, tools.maxRejectRatio);
		const tables = tableRows(settled);
		signal.throwIfAborted();
		await store.publishObjects([...new Set(settled.good.map(({ image }) => image.object_key))]);
		const work = await workFolder(tools.scratch, "mirror");
		if (tools.keepRejected) await keepRejected(settled.findings, images.members, tools, work, signal);
		const files = await writeTables(shard, tables, tools.tables, store, work);
		signal.throwIfAborted();
		const receipt = await writeReceipt(store, makeReceipt(plan, settings, settled, tables, files));
		await content.release();
		await forgetFailed(tools.scratch, failedName(plan));
		return receipt;
	} catch (error) {
		signal.throwIfAborted();
		const known = knownError(error, shard, tools.scratch);
		const zip = content?.zip ?? null;
		const kept = findings.length > 0 || zip !== null ? await keep(plan, tools, known, findings, zip) : null;
		throw new ShardFailed(known, shard, countFindings(findings), kept);
	} finally {
		await content?.close();
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
		return await keepFailed(scratch, failedName(plan), {
			error: error.message,
			findings: findings.map((finding) => JSON.stringify(finding)),
			zip: zip === null ? null : { path: zip, name: `${plan.shard}.zip` },
		});
	} catch (cause) {
		progress.note("warn", "what the shard left could not be kept", { shard: plan.shard, reason: systemCode(cause) });
		return null;
	}
}

/** `<shard>-<start of the work id>`: what fails anew takes the place of what the same work left. */
function failedName({ shard, workId }: ShardPlan): string {
	return `${shard}-${workId.slice(0, 12)}`;
}
