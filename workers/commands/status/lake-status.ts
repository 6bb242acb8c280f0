import type { Dataset } from "../../../pipelines/dataset.js";
import { tableFile } from "../../../pipelines/lake/paths.js";
import { claimedSnapshot } from "../../../pipelines/lake/publish.js";
import { readReceipts } from "../../../pipelines/lake/receipt.js";
import { readLatestSnapshot, type StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import { readFirstKept } from "../../../pipelines/lake/sweeping/first-kept.js";
import { orDamage } from "../../../pipelines/lake/sweeping/read-record.js";
import type { Reader } from "../../../pipelines/ports/store.js";
import { allShards } from "../../../pipelines/shards.js";
import { wholeSnapshots } from "../../../pipelines/vacuum/survey.js";
import { LakeError } from "../../../schemas/errors.js";
import type { Receipt, Snapshot } from "../../../schemas/records.js";
import { countedText, placeText, sizeText, tableText, wrapText } from "../../report/format.js";
import { selectionText, uncheckedZips } from "../../report/summary.js";

/** What a lake holds, as `irlake status` tells it. */
export interface LakeFacts {
	dataset: Dataset;
	/** As `latest.json` names it. */
	latest: StoredSnapshot;
	/** Oldest first; the last is the latest. */
	snapshots: Pick<StoredSnapshot, "path" | "snapshot">[];
	/** The oldest snapshot that vacuum left whole, or the error that its record is damaged. */
	firstKept: number | LakeError;
	/** Whether vacuum left a snapshot whole; null where its record of that is damaged, and the newest does not tell. */
	isWhole(number: number): boolean | null;
	/** Of a lake with a predicate: they tell what was fetched in parts. */
	receipts: Receipt[];
	/** Shards of the dataset that the lake lacks. */
	missing: string[];
	/** Number of a snapshot that is being published, or was left half-way. */
	unfinished: number | null;
}

/** Null where there is no lake yet. */
export async function readLakeFacts(store: Reader, dataset: Dataset): Promise<LakeFacts | null> {
	const latest = await readLatestSnapshot(store);
	if (!latest) return null;
	const { number, shards } = latest.snapshot;
	const snapshots: LakeFacts["snapshots"] = [];
	for (let earlier = 1; earlier < number; earlier++) {
		const stored = await claimedSnapshot(store, earlier);
		if (stored) snapshots.push(stored);
	}
	snapshots.push(latest);
	const firstKept = await orDamage(readFirstKept(store));
	const damaged = firstKept instanceof LakeError;
	const all = snapshots.map(({ snapshot }) => snapshot);
	const whole = wholeSnapshots(all, damaged ? number : firstKept);
	const unfinished = await claimedSnapshot(store, number + 1);
	const present = new Set(shards.map(({ shard }) => shard));
	return {
		dataset,
		latest,
		snapshots,
		firstKept,
		isWhole: (one) => whole.has(one) || (damaged ? null : false),
		receipts: await selectedReceipts(store, latest.snapshot),
		missing: allShards(dataset).filter((shard) => !present.has(shard)),
		unfinished: unfinished?.snapshot.number ?? null,
	};
}

async function selectedReceipts(store: Reader, { settings, shards }: Snapshot): Promise<Receipt[]> {
	if (settings.where === null) return [];
	const paths = shards.map(({ receipt }) => receipt);
	return [...(await readReceipts(store, paths)).values()];
}

/** @param lake as the user named it */
export function lakeLines(lake: string, facts: LakeFacts): string[] {
	const { latest, receipts, missing, firstKept, unfinished } = facts;
	const { number, subset, counts, skipped } = latest.snapshot;
	const selection = selectionText(latest.snapshot, receipts);
	const where = counts.rows_rejected > 0 ? `: see ${placeText(lake, tableFile.tableFolder("quarantine"))}` : "";
	const lines = [
		`${lake}: snapshot ${number}, subset ${subset}`,
		countsText(facts),
		...(selection ? [selection] : []),
		`${countedText(counts.rows_rejected, "row")} rejected${where}\n`,
		snapshotTable(facts),
	];
	if (firstKept instanceof LakeError) lines.push(...wrapText(`${firstKept.message} ${firstKept.hint}`, 80));
	if (missing.length > 0) {
		const some = `${missing.slice(0, 4).join(", ")}${missing.length > 4 ? ", …" : ""}`;
		lines.push(`\nnot in the lake: ${countedText(missing.length, "shard")} (${some})`);
	}
	for (const { shard, code } of skipped) lines.push(`skipped: ${shard} (${code})`);
	if (unfinished !== null) {
		lines.push(`\nsnapshot ${unfinished} is being published, or was left half-way: the next mirror finishes it`);
	}
	return lines;
}

function countsText({ dataset, latest }: LakeFacts): string {
	const { counts } = latest.snapshot;
	const own = dataset.tables.list.map(({ name }) => countedText(counts[name] ?? 0, name.replace(/s$/, "")));
	const images = `${countedText(counts.rows_published, "image")} (${sizeText(counts.objects_bytes)})`;
	return [countedText(counts.shards, "shard"), images, ...own].join(", ");
}

function snapshotTable({ snapshots, isWhole }: LakeFacts): string {
	const rows = snapshots.map(({ snapshot }) => [
		`${snapshot.number}`,
		snapshot.source.commit?.slice(0, 12) ?? "-",
		snapshot.source.committed_at ?? "-",
		snapshot.counts.shards,
		snapshot.counts.rows_published,
		{ true: "", false: "vacuumed", null: "unknown" }[`${isWhole(snapshot.number)}`],
	]);
	return tableText([["snapshot", "commit", "committed at", "shards", "images", ""], ...rows]);
}

/** @param path the lake's, as the user named it */
export function lakeDocument(path: string, facts: LakeFacts): Record<string, unknown> {
	const { latest, snapshots, isWhole, receipts, missing, firstKept, unfinished } = facts;
	const { number, subset, source, settings, counts, skipped } = latest.snapshot;
	const unchecked = selectionText(latest.snapshot, receipts) ? { zips_unchecked: uncheckedZips(receipts) } : {};
	return {
		path,
		exists: true,
		latest: { number, snapshot: latest.path, subset, source, settings, counts, skipped, ...unchecked },
		snapshots: snapshots.map(({ path, snapshot }) => ({
			number: snapshot.number,
			snapshot: path,
			commit: snapshot.source.commit,
			committed_at: snapshot.source.committed_at,
			shards: snapshot.counts.shards,
			images: snapshot.counts.rows_published,
			whole: isWhole(snapshot.number),
		})),
		missing,
		...(firstKept instanceof LakeError ? { damaged: firstKept.path } : {}),
		unfinished,
	};
}
