import type { FindingCode } from "../../../schemas/codes.js";
import { endsTheRun } from "./fatal.js";
import { type PlantedDefect, rowsOf, type ShardPlan } from "./plan.js";

/** What a mirror must count; the names are the receipt's. */
export interface ExpectedCounts {
	rows_in: number;
	rows_published: number;
	rows_rejected: number;
	members_in: number;
	members_published: number;
	members_rejected: number;
	orphans: number;
	prompts: number;
	pairs: number;
	ties: number;
}

export interface ExpectedShard {
	/** The code that the shard must fail with, or null. */
	fatal: FindingCode | null;
	/** Findings by code. */
	findings: Partial<Record<FindingCode, number>>;
	/** Of its content, whether or not it fails as a whole. */
	counts: ExpectedCounts;
}

/** What was made, and what a mirror of it must find with `--on-bad-image drop-image`. */
export interface Planted {
	seed: number;
	layout: string;
	planted: PlantedDefect[];
	shards: Record<string, ExpectedShard>;
	/** Over the shards that do not fail. */
	findings: Partial<Record<FindingCode, number>>;
	/** Over the shards that do not fail; null where the run ends before any work. */
	counts: ExpectedCounts | null;
}

/** Groups of the good rows by prompt; nothing here looks at how a mirror counts. */
function shardCounts(plan: ShardPlan): ExpectedCounts {
	const rows = rowsOf(plan);
	const members = [...plan.members.values()];
	const fate = (wanted: string) => members.filter((member) => member.fate === wanted).length;
	const ranks = new Map<unknown, unknown[]>();
	for (const { json, rejected } of rows) {
		if (!rejected) ranks.set(json.prompt_id, [...(ranks.get(json.prompt_id) ?? []), json.rank]);
	}
	let pairs = 0;
	let ties = 0;
	for (const group of ranks.values()) {
		const equal = group.flatMap((rank, at) => group.slice(at + 1).filter((other) => other === rank)).length;
		ties += equal;
		pairs += (group.length * (group.length - 1)) / 2 - equal;
	}
	const rejected = rows.filter((row) => row.rejected).length;
	return {
		rows_in: rows.length,
		rows_published: rows.length - rejected,
		rows_rejected: rejected,
		members_in: members.length,
		members_published: fate("published"),
		members_rejected: fate("rejected"),
		orphans: fate("orphan"),
		prompts: ranks.size,
		pairs,
		ties,
	};
}

/** Adds up equal keys. */
function summed<Key extends string>(parts: Partial<Record<Key, number>>[]): Partial<Record<Key, number>> {
	const sum: Partial<Record<Key, number>> = {};
	for (const part of parts) {
		for (const key in part) sum[key] = (sum[key] ?? 0) + (part[key] ?? 0);
	}
	return sum;
}

export function expectedOf(plans: ShardPlan[], seed: number, layout: string): Planted {
	const shards: Record<string, ExpectedShard> = {};
	for (const plan of plans) {
		shards[plan.shard] = { fatal: plan.fatal, findings: plan.findings, counts: shardCounts(plan) };
	}
	const good = Object.values(shards).filter(({ fatal }) => fatal === null);
	const ended = plans.some(({ fatal }) => fatal !== null && endsTheRun(fatal));
	return {
		seed,
		layout,
		planted: plans.flatMap(({ planted }) => planted),
		shards,
		findings: summed(good.map(({ findings }) => findings)),
		counts: ended ? null : { ...NOTHING, ...summed(good.map(({ counts }) => ({ ...counts }))) },
	};
}

const NOTHING: ExpectedCounts = {
	rows_in: 0,
	rows_published: 0,
	rows_rejected: 0,
	members_in: 0,
	members_published: 0,
	members_rejected: 0,
	orphans: 0,
	prompts: 0,
	pairs: 0,
	ties: 0,
};
