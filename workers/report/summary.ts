import type { Dataset } from "../../pipelines/dataset.js";
import { sumCounts } from "../../pipelines/lake/receipt.js";
import type { ShardOutcome } from "../../pipelines/mirror/outcome.js";
import { shardParts } from "../../pipelines/shards.js";
import { aboutCode, FINDINGS, type FindingCode } from "../../schemas/codes.js";
import type { Receipt, Snapshot } from "../../schemas/records.js";
import { countedText, countText, tableText, wrapText } from "./format.js";

/** What was counted in the run's shards, per split, beside what the dataset's card says. */
export function splitsText(dataset: Dataset, receipts: Receipt[]): string {
	const { figures, said } = dataset.card;
	const rows: (string | number)[][] = [["split", "shards", ...figures.flatMap(({ heading }) => [heading, "card"])]];
	for (const { name: split, shards } of dataset.layout.splits) {
		const own = receipts.filter(({ shard }) => shardParts(shard).split === split);
		if (own.length === 0) continue;
		const counts = sumCounts(own);
		const whole = own.length === shards && own.every(({ settings }) => settings.where === null);
		const counted = figures.flatMap(({ counts: names }, at) => {
			const sum = names.reduce((total, name) => total + (counts[name] ?? 0), 0);
			return [sum, whole ? (said[split]?.[at] ?? "-") : "-"];
		});
		rows.push([split, `${own.length}/${shards}`, ...counted]);
	}
	return tableText(rows);
}

/** What a lake with a predicate holds, and what could not be checked of it; null of a lake without one. */
export function selectionText({ settings, counts }: Snapshot, receipts: Receipt[]): string | null {
	if (settings.where === null) return null;
	const of = settings.where_mode === "prompt" ? "whole prompts" : "images";
	const lines = wrapText(`${of} where ${settings.where}:`, 80);
	lines.push(
		`${countedText(counts.rows_published, "image")} published, ${countedText(counts.rows_unselected ?? 0, "row")} not chosen`,
	);
	const unchecked = uncheckedZips(receipts);
	if (unchecked > 0) {
		const which = `${unchecked} of ${countedText(receipts.length, "zip")}`;
		lines.push(
			`of ${which} only parts were fetched: each image's CRC-32 was checked,`,
			"the zip's own SHA-256 was not",
		);
	}
	return lines.join("\n");
}

/** Zips of which only parts were fetched. */
export function uncheckedZips(receipts: Receipt[]): number {
	return receipts.filter(({ inputs }) => inputs.zip_hash_checked === false).length;
}

/** Codes by severity, then by name. */
export function gravestFirst(codes: FindingCode[]): FindingCode[] {
	const order = { fatal: 0, reject: 1, warn: 2 };
	return codes.sort().sort((a, b) => order[FINDINGS[a].severity] - order[FINDINGS[b].severity]);
}

/** Findings by code, the grave ones first, each with what it means. */
export function findingsText(findings: Receipt["findings"]): string {
	return gravestFirst(Object.keys(findings) as FindingCode[])
		.flatMap((code) => {
			const { severity, meaning } = FINDINGS[code];
			const count = countText(findings[code] ?? 0).padStart(6);
			return [`  ${severity.padEnd(6)}  ${code.padEnd(26)} ${count}`, ...indented(meaning, 10)];
		})
		.join("\n");
}

function indented(text: string, by: number): string[] {
	return wrapText(text, 80 - by).map((line) => " ".repeat(by) + line);
}

/** `3 shards done, 33 as they were`, by how they ended; those without any are left out. */
export function shardsText(shards: ShardOutcome[]): string {
	const words = { done: "done", reused: "as they were", failed: "failed", skipped: "skipped" };
	const parts = Object.entries(words).flatMap(([state, word]) => {
		const count = shards.filter((shard) => shard.state === state).length;
		return count > 0 ? [{ count, word: count === 1 ? word.replace("they were", "it was") : word }] : [];
	});
	const [first, ...others] = parts;
	if (!first) return "no shard";
	const texts = [`${countedText(first.count, "shard")} ${first.word}`, ...others.map((o) => `${o.count} ${o.word}`)];
	return texts.join(", ");
}

/** The shards that failed, each with its code, reason, what to do, and where it is kept. */
export function failuresText(shards: ShardOutcome[]): string {
	const bad = shards.filter(({ code }) => code !== null);
	return bad
		.map(({ shard, state, code, detail, kept, findings }) => {
			const lines = [`  ${shard} ${state}: ${code}`, ...indented(detail ?? "", 4)];
			if (code !== null) lines.push(...indented(aboutCode(code).todo, 4));
			const found = Object.entries(findings).map(([name, count]) => `${name} ${count}`);
			if (found.length > 0) lines.push(`    found: ${found.join(", ")}`);
			if (kept !== null) lines.push(`    kept: ${kept}`);
			return lines.join("\n");
		})
		.join("\n");
}
