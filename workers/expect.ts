import { open, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Dataset } from "../pipelines/dataset.js";
import { Expectations } from "../pipelines/expect/expectations.js";
import { type FoundShard, type JudgedFindings, judgeFindings } from "../pipelines/expect/judge-findings.js";
import { parseExpected } from "../pipelines/expect/parse-expected.js";
import { keptRows, quarantineRows } from "../pipelines/expect/quarantine-rows.js";
import type { MirrorOutcome, ShardOutcome } from "../pipelines/mirror/outcome.js";
import { workFolder } from "../pipelines/scratch/work-folder.js";
import { shown } from "../pipelines/text.js";
import { FINDINGS, type FindingCode } from "../schemas/codes.js";
import { LakeError, systemCode } from "../schemas/errors.js";
import type { Receipt } from "../schemas/records.js";
import type { CommandContext } from "./command-line/command.js";
import { countedText, countText, tableText, wrapText } from "./report/format.js";
import { gravestFirst } from "./report/summary.js";
import type { Session } from "./session.js";

/** `--expect FILE`: read before anything else, judged by at the run's end; nothing that is written depends on it. */

const MOST_BYTES = 64 * 1024 * 1024;
/** New findings that a person is shown; the document has more. */
const SHOWN = 10;

/** The findings that `--expect` names, or null without it. Throws USAGE, naming the file and the line. */
export async function readExpected(
	{ expect }: { expect: string | undefined },
	dataset: Dataset,
): Promise<Expectations | null> {
	if (expect === undefined) return null;
	return new Expectations(parseExpected(await readWhole(expect), expect, dataset));
}

/** A pipe is read as a file is, so its size is known at the end only. */
async function readWhole(path: string): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		const handle = await open(path);
		for await (const chunk of handle.createReadStream()) {
			chunks.push(chunk as Buffer);
			bytes += (chunk as Buffer).length;
			if (bytes > MOST_BYTES) break;
		}
	} catch (cause) {
		const why = systemCode(cause) === "ENOENT" ? "there is no such file" : `it cannot be read (${systemCode(cause)})`;
		throw new LakeError("USAGE", `--expect cannot be read: ${path}: ${why}.`, { path, cause });
	}
	if (bytes <= MOST_BYTES) return Buffer.concat(chunks);
	const hint = "Name fewer findings one by one: an entry with a code and a shard expects all of that kind.";
	throw new LakeError("USAGE", `--expect cannot be read: ${path}: it is over 64 MiB.`, { path, hint });
}

/** Judges the findings of the run's shards, those of good ones by the lake's quarantine. */
export async function judgeRun(
	expectations: Expectations,
	{ outcome, receipts }: { outcome: MirrorOutcome; receipts: Receipt[] },
	session: Session,
	{ log }: CommandContext,
): Promise<JudgedFindings> {
	const { dataset, store } = session;
	const tools = { dataset, store, tables: await session.tables() };
	const work = await workFolder(await session.scratch(), "expect");
	const rowsOf = (receipt: Receipt) => quarantineRows(receipt, tools, join(work, "quarantine.parquet"));
	const good = receipts.map((receipt): FoundShard => {
		const { shard, findings } = receipt;
		return { shard, findings, rows: () => rowsOf(receipt), failure: null };
	});
	const failed = outcome.shards.flatMap((one): FoundShard[] => {
		if (one.code === null) return [];
		const { shard, findings, receipt, code, detail } = one;
		const failure = code in FINDINGS ? { code: code as FindingCode, detail: detail ?? "" } : null;
		return [{ shard, findings, rows: () => (receipt ? rowsOf(receipt) : keptRows(keptFile(one), dataset)), failure }];
	});
	try {
		const judged = await judgeFindings(expectations, dataset, [...good, ...failed]);
		for (const { shard, cause } of judged.unread) {
			log.warn(
				{ shard, err: cause },
				`${shard}: its findings were judged by code alone; their rows cannot be read here`,
			);
		}
		return judged;
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

/** Where a failed shard's findings lie; a worker tells the host before the path. */
function keptFile({ kept }: ShardOutcome): string {
	const own = `${hostname()}:`;
	return join(kept?.startsWith(own) ? kept.slice(own.length) : (kept ?? ""), "findings.jsonl");
}

/** What the judgement adds to the document; a finding's group stands under the dataset's name for it. */
export function judgedDocument(judged: JudgedFindings, { group: column }: Dataset): Record<string, unknown> {
	const first = judged.first.map(({ code, image_path, group, ...rest }) => {
		return { code, image_path, ...(column === null ? {} : { [column]: group }), ...rest };
	});
	return {
		findings_expected: judged.expected,
		findings_new: judged.new,
		new: first,
		expected_not_found: judged.notFound,
	};
}

/** The findings by code, how many of them are new, and the first of these. */
export function judgedText({ expected, first, notFound, ...judged }: JudgedFindings): string {
	const codes = gravestFirst([...new Set([...Object.keys(expected), ...Object.keys(judged.new)])] as FindingCode[]);
	const rows = codes.map((code) => {
		return [`${FINDINGS[code].severity.padEnd(6)}  ${code}`, expected[code] ?? 0, judged.new[code] ?? 0];
	});
	const lines = rows.length > 0 ? [tableText([["findings", "expected", "new"], ...rows], "")] : [];
	const news = Object.values(judged.new).reduce((sum, count) => sum + (count ?? 0), 0);
	if (news === 0) lines.push("nothing new was found");
	for (const one of first.slice(0, SHOWN)) {
		const about = one.image_path ?? one.member ?? one.group;
		lines.push(`new: ${one.code} in ${one.shard}`, ...(about === null ? [] : [`  ${shown(about, 74)}`]));
		lines.push(...wrapText(one.detail, 76).map((line) => `  ${line}`));
	}
	const left = news - Math.min(first.length, SHOWN);
	if (left > 0) lines.push(`… and ${countText(left)} more that are new; --json tells up to 100 of them`);
	if (notFound > 0) lines.push(`${countedText(notFound, "expectation")} met nothing: fixed upstream?`);
	return lines.join("\n");
}
