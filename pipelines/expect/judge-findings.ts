import { FINDINGS, type FindingCode, type Severity } from "../../schemas/codes.js";
import type { Receipt } from "../../schemas/records.js";
import type { Dataset } from "../dataset.js";
import type { About, Expectations } from "./expectations.js";

/** Tells new findings from expected ones. */

/** A shard's finding, as quarantine records it. */
export interface FoundFinding extends Required<Omit<About, "shard">> {
	detail: string;
}

/** A shard's findings: how many of each code, and a reader for them. */
export interface FoundShard {
	shard: string;
	findings: Receipt["findings"];
	/** Throws if they cannot be read; called only if there are any. */
	rows(): AsyncIterable<FoundFinding>;
	/** Why the shard failed, if it did: that is a finding, too. */
	failure: { code: FindingCode; detail: string } | null;
}

interface NewFinding extends FoundFinding {
	severity: Severity;
	shard: string;
}

/** The verdict over all shards. */
export interface JudgedFindings {
	expected: Receipt["findings"];
	new: Receipt["findings"];
	/** The first new ones, most severe first. */
	first: NewFinding[];
	/** Expected entries without a finding; perhaps fixed upstream. */
	notFound: number;
	/** Shards whose findings were judged by code alone, since their rows could not be read. */
	unread: { shard: string; cause: unknown }[];
}

/** How many new findings are listed. */
const MAX_LISTED = 100;

/** Judges every finding. Never throws: it follows the publish, and a published run has not failed. */
export async function judgeFindings(
	expectations: Expectations,
	dataset: Dataset,
	shards: FoundShard[],
): Promise<JudgedFindings> {
	const judged: JudgedFindings = { expected: {}, new: {}, first: [], notFound: 0, unread: [] };
	const listed: Record<Severity, NewFinding[]> = { fatal: [], reject: [], warn: [] };
	function judge(found: FoundFinding, shard: string): void {
		const expected = expectations.expects({ ...found, shard });
		add(expected ? judged.expected : judged.new, found.code, 1);
		const { severity } = FINDINGS[found.code];
		if (!expected && listed[severity].length < MAX_LISTED) listed[severity].push({ ...found, severity, shard });
	}
	for (const { shard, findings, rows, failure } of shards) {
		if (failure) judge({ ...failure, image_path: null, group: null, member: null }, shard);
		if (Object.values(findings).every((count) => !count)) continue;
		try {
			const read: FoundFinding[] = [];
			for await (const row of rows()) read.push(row);
			for (const row of read) judge(row, shard);
		} catch (cause) {
			judged.unread.push({ shard, cause });
			for (const [code, count] of Object.entries(findings) as [FindingCode, number][]) {
				add(expectations.expects({ code, shard }) ? judged.expected : judged.new, code, count);
			}
		}
	}
	judged.first = [...listed.fatal, ...listed.reject, ...listed.warn].slice(0, MAX_LISTED);
	judged.notFound = expectations.notFound(
		dataset,
		shards.map(({ shard }) => shard),
	);
	return judged;
}

function add(counts: Receipt["findings"], code: FindingCode, count: number): void {
	counts[code] = (counts[code] ?? 0) + count;
}
