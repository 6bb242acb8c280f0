import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Receipt, TableFile } from "../../schemas/records.js";
import type { Settings } from "../../schemas/settings.js";
import type { Dataset } from "../dataset.js";
import { storeReceipt } from "../lake/receipt.js";
import type { Member } from "../ports/archive.js";
import type { Content, Reader, Records } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { scratchError } from "../scratch/errors.js";
import { forgetFailed, keepFailed } from "../scratch/failed.js";
import { despiteStandstills } from "../scratch/marks.js";
import { workFolder } from "../scratch/work-folder.js";
import { checkImages, memberTasks } from "./check/check-images.js";
import { checkRows } from "./check/check-rows.js";
import { parseRows } from "./check/parse-json.js";
import { judgeRatio, reconcile } from "./check/reconcile.js";
import type { Finding, ShardTables, Verdict } from "./check/verdict.js";
import { fetchShard } from "./content/fetch-shard.js";
import type { ContentTools, ShardContent } from "./content/shard-content.js";
import { planOfWholeZip, requirePartsSuffice } from "./content/whole-zip-fallback.js";
import type { ShardPlan } from "./plan/decide.js";
import { readShardMetadata, type SplitMetadata } from "./plan/metadata.js";
import { keepRejected } from "./write/keep-rejected.js";
import { countFindings, makeReceipt } from "./write/make-receipt.js";
import { findingRow, tableRows } from "./write/table-rows.js";
import { writeTables } from "./write/write-tables.js";

/** Dependencies of reading and judging a shard. `scratch` holds downloads and temporary files; it lies outside the lake. */
interface CheckTools extends ContentTools {
	dataset: Dataset;
	tables: TableFiles;
	maxRejectRatio: number;
}

/** Dependencies of `processShard`. */
export interface ShardTools extends CheckTools {
	store: Reader & Records & Content;
	/** Whether the bytes of what goes to quarantine are kept in the lake, beside their rows. */
	keepRejected: boolean;
}

/** One shard, as it was planned. */
interface ShardTask {
	plan: ShardPlan;
	metadata: SplitMetadata;
	settings: Settings;
}

/** A shard that was read and judged. Its good objects are staged; nothing of it is in the lake. */
interface CheckedShard {
	/** As it was read at last: its whole zip, where parts of it were wrong. */
	plan: ShardPlan;
	verdict: Verdict;
	tables: ShardTables;
	members: Member[];
}

/** A shard that failed, with what had been found by then. */
export class ShardFailed extends LakeError {
	readonly shard: string;
	readonly findings: Receipt["findings"];
	/** Where its findings and its zip are kept; null when there is nothing to keep. */
	readonly kept: string | null;

	constructor(error: LakeError, shard: string, findings: Receipt["findings"], kept: string | null) {
		const { code, message, path, hint, exit, retry, cause } = error;
		// The Hub's refusals are 2 before any side effect only; here, work has been done.
		const ends = code.startsWith("HUB_") ? 1 : exit;
		super(code, message, { hint, exit: ends, retry, cause, ...(path === null ? {} : { path }) });
		this.shard = shard;
		this.findings = findings;
		this.kept = kept;
	}
}

/**
 * One shard, from source to receipt: download → unpack → validate → images → tables → receipt. Nothing of it is visible
 * to a reader before a publish names the receipt.
 * @throws ShardFailed, or the abort signal's reason
 */
export function processShard(task: ShardTask, tools: ShardTools, signal: AbortSignal): Promise<Receipt> {
	return withCheckedShard(task, tools, signal, (checked) => storeShard(checked, task.settings, tools, signal));
}

/**
 * Reads and judges a shard, and hands it to `use` while its content is here. Where parts of its zip are fetched and are
 * wrong, once more, of the whole zip.
 * @throws ShardFailed, also of what `use` throws, or the abort signal's reason
 */
export async function withCheckedShard<T>(
	task: ShardTask,
	tools: CheckTools,
	signal: AbortSignal,
	use: (checked: CheckedShard) => Promise<T>,
): Promise<T> {
	const { note } = tools.progress;
	const { shard } = task.plan;
	const once = () => checkOnce(task, tools, signal, use);
	const again = (error: unknown) => {
		note("warn", "The process stood still; the shard begins again.", { shard, reason: String(error) });
	};
	try {
		return await despiteStandstills(once, again, signal);
	} catch (error) {
		if (!(error instanceof ShardFailed)) throw error;
		const whole = planOfWholeZip(task.plan, error);
		if (whole === null) throw error;
		const { code, path } = error;
		note("warn", "Parts of a zip are wrong; the whole zip is fetched to be sure.", { shard, code, path });
		return checkOnce({ ...task, plan: whole }, tools, signal, use);
	}
}

async function checkOnce<T>(
	{ plan, metadata, settings }: ShardTask,
	tools: CheckTools,
	signal: AbortSignal,
	use: (checked: CheckedShard) => Promise<T>,
): Promise<T> {
	const { dataset, progress } = tools;
	const { shard } = plan;
	let findings: Finding[] = [];
	let content: ShardContent | null = null;
	try {
		const fetched = await fetchShard({ plan, settings, signal }, tools);
		content = fetched;
		const archive = await fetched.open();
		const { json, format } = plan.files;
		const jsonPath = `${dataset.layout.folderPath(shard)}/${json}`;
		if (!archive.json) throw new LakeError("JSON_MISSING", `${shard} has no ${json}`, { path: jsonPath });
		const values = parseRows(await fetched.readJson(archive.json), jsonPath, dataset.layout.json);
		const known = await readShardMetadata(tools.tables, dataset, metadata, shard);
		const rows = checkRows(values, dataset, shard, known);
		const tasks = memberTasks(archive.members, rows.rows, format, settings.where !== null);
		progress.imagesFound(shard, tasks.length);
		await fetched.bring(tasks.map(({ member }) => member));
		const images = await checkImages(archive.members, tasks, signal, {
			judge: (task, stop) => fetched.judge(task, stop),
			onImage: () => progress.imageDone(shard),
		});
		const verdict = reconcile(rows, images, settings);
		requirePartsSuffice(plan, verdict.findings);
		findings = verdict.findings;
		const tooMany = judgeRatio(shard, verdict.defective, verdict.counts.rows_in, tools.maxRejectRatio);
		if (tooMany) throw tooMany;
		const tables = tableRows(dataset, verdict);
		signal.throwIfAborted();
		const made = await use({ plan, verdict, tables, members: images.members });
		await fetched.release();
		await forgetFailed(tools.scratch, failedName(plan));
		return made;
	} catch (error) {
		signal.throwIfAborted();
		const known = knownError(error, shard, tools.scratch);
		const zip = content?.zip ?? null;
		const kept = findings.length > 0 || zip !== null ? await keep(plan, tools, { error: known, findings, zip }) : null;
		throw new ShardFailed(known, shard, countFindings(findings), kept);
	} finally {
		await content?.close();
	}
}

/** Objects, rejected bytes, tables; the receipt last. */
async function storeShard(
	{ plan, verdict, tables, members }: CheckedShard,
	settings: Settings,
	tools: ShardTools,
	signal: AbortSignal,
): Promise<Receipt> {
	const { store, scratch } = tools;
	await store.publishObjects([...new Set(verdict.good.map(({ image }) => image.object_key))]);
	const folder = await workFolder(scratch, "mirror");
	if (tools.keepRejected) await keepRejected(verdict.findings, members, { ...tools, folder }, signal);
	const put = ({ path }: TableFile, local: string): Promise<void> => store.putFile(path, local);
	const files = await writeTables(plan.shard, tables, { dataset: tools.dataset, tables: tools.tables, folder }, put);
	signal.throwIfAborted();
	return storeReceipt(store, makeReceipt(plan, settings, verdict, { ...tables, files }));
}

function knownError(error: unknown, shard: string, scratch: string): LakeError {
	const known = scratchError(error, scratch);
	return known instanceof LakeError
		? known
		: new LakeError("INTERNAL", `Shard ${shard} failed unexpectedly: ${String(error)}.`, { cause: error });
}

/** Keeps what a failed shard leaves. Where that cannot be written either, the shard's own error is the one to tell. */
async function keep(
	plan: ShardPlan,
	{ dataset, scratch, progress }: CheckTools,
	{ error, findings, zip }: { error: LakeError; findings: Finding[]; zip: string | null },
): Promise<string | null> {
	try {
		return await keepFailed(scratch, failedName(plan), {
			error: error.message,
			findings: findings.map((finding) => JSON.stringify(findingRow(finding, dataset.group))),
			zip: zip === null ? null : { path: zip, name: plan.files.zip },
		});
	} catch (cause) {
		progress.note("warn", "What the failed shard left could not be kept.", {
			shard: plan.shard,
			reason: systemCode(cause),
		});
		return null;
	}
}

/** `<shard>-<start of the work id>`: what fails anew takes the place of what the same work left. */
function failedName({ shard, workId }: ShardPlan): string {
	return `${shard}-${workId.slice(0, 12)}`;
}
