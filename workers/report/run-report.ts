import type { Dataset } from "../../pipelines/dataset.js";
import type { Expectations } from "../../pipelines/expect/expectations.js";
import type { JudgedFindings } from "../../pipelines/expect/judge-findings.js";
import { rejectedFile, tableFile } from "../../pipelines/lake/paths.js";
import { finishClaimedSnapshots } from "../../pipelines/lake/publish.js";
import { readReceipts, sumFindings } from "../../pipelines/lake/receipt.js";
import type { StoredSnapshot } from "../../pipelines/lake/snapshot.js";
import { tablesOf } from "../../pipelines/lake/tables.js";
import type { MirrorOutcome } from "../../pipelines/mirror/outcome.js";
import type { Receipt } from "../../schemas/records.js";
import { type CommandContext, type CommandResult, errorDocument } from "../command-line/command.js";
import { judgedDocument, judgedText, judgeRun } from "../expect.js";
import type { Session } from "../session.js";
import type { LakeStore } from "../wire.js";
import { durationText, placeText, sizeText } from "./format.js";
import { FAILED_RUN } from "./run-document.js";
import { failuresText, findingsText, selectionText, shardsText, splitsText } from "./summary.js";

/** How a mirror's end is told, in this process or on the queue: for people, and as the document. */

interface ReportOptions {
	lake: string;
	keep_rejected: boolean;
}

/** What a run cost: bytes fetched over the network, and time. */
export interface Spent {
	bytes: number;
	seconds: number;
}

/** A document with nothing in it yet but what was spent. */
export function emptyDocument({ bytes, seconds }: Spent): Record<string, unknown> {
	return { ...FAILED_RUN, bytes_downloaded: bytes, seconds };
}

/** What a run is told by. */
export interface Reporting {
	session: Session;
	/** With `--expect`. */
	expectations: Expectations | null;
}

/** The summary of a run that is over, for people and as the document. */
export async function reportRun(
	context: CommandContext<ReportOptions>,
	outcome: MirrorOutcome,
	{ session, expectations }: Reporting,
	spent: Spent,
): Promise<CommandResult> {
	const { store, dataset } = session;
	const newest = outcome.published ?? (outcome.failure ? null : await finishClaimedSnapshots(store, tablesOf(dataset)));
	const failed = outcome.shards.filter(({ code }) => code !== null);
	const exit = outcome.failure ? outcome.failure.exit : failed.length > 0 ? 3 : 0;
	const state = outcome.failure ? "failed" : outcome.published ? "published" : "up_to_date";
	const receipts = await presentReceipts(store, newest, outcome.receipts);
	const failedFindings = failed.map(({ findings }) => findings);
	const findings = sumFindings([...receipts.map((receipt) => receipt.findings), ...failedFindings]);
	const judged = expectations && (await judgeRun(expectations, { outcome, receipts }, session, context));
	saySummary(context, { outcome, newest, receipts, findings, judged, state, spent, dataset });
	const shards = outcome.shards.map(({ shard, state: how, code, detail }) => ({ shard, state: how, code, detail }));
	return {
		exit,
		document: {
			...emptyDocument(spent),
			state,
			snapshot: newest?.path ?? null,
			number: newest?.snapshot.number ?? null,
			shards,
			counts: outcome.failure ? null : (newest?.snapshot.counts ?? null),
			findings,
			...(judged ? judgedDocument(judged, dataset) : {}),
		},
		error: outcome.failure ? errorDocument(outcome.failure) : null,
	};
}

/** Receipts of the newest snapshot's shards; of a failed run, those that the run has. */
async function presentReceipts(store: LakeStore, newest: StoredSnapshot | null, own: Receipt[]): Promise<Receipt[]> {
	if (!newest) return own;
	const all = await readReceipts(
		store,
		newest.snapshot.shards.map(({ receipt }) => receipt),
	);
	return [...all.values()];
}

interface Summary {
	dataset: Dataset;
	outcome: MirrorOutcome;
	newest: StoredSnapshot | null;
	receipts: Receipt[];
	findings: Receipt["findings"];
	judged: JudgedFindings | null;
	state: string;
	spent: Spent;
}

function saySummary({ say, options }: CommandContext<ReportOptions>, told: Summary): void {
	const { dataset, outcome, newest, receipts, findings, judged, state, spent } = told;
	const heads: Record<string, string> = {
		published: `published snapshot ${newest?.snapshot.number} of ${options.lake}`,
		up_to_date: `up to date: snapshot ${newest?.snapshot.number ?? "-"} of ${options.lake}`,
		failed: "failed: nothing was published",
	};
	say(heads[state] ?? state);
	const time = durationText(spent.seconds);
	say(`${shardsText(outcome.shards)}; ${sizeText(spent.bytes)} downloaded in ${time}`);
	const failures = failuresText(outcome.shards);
	if (failures) say(`\nshards that failed\n${failures}`);
	const selection = newest && selectionText(newest.snapshot, receipts);
	if (selection) say(`\n${selection}`);
	if (receipts.length > 0)
		say(`\nCounts per split; card: the dataset card's figure, for complete splits.\n${splitsText(dataset, receipts)}`);
	if (judged) say(`\n${judgedText(judged)}`);
	else if (Object.keys(findings).length > 0) say(`\nfindings\n${findingsText(findings)}`);
	if (Object.keys(findings).length === 0) return;
	if (!newest) return;
	say(`  each row, with its reason: ${placeText(options.lake, tableFile.tableFolder("quarantine"))}`);
	if (options.keep_rejected) say(`  rejected images, by their sha256: ${placeText(options.lake, rejectedFile.folder)}`);
}
