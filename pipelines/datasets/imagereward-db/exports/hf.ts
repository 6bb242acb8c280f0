import { writeFile } from "node:fs/promises";
import type { Snapshot } from "../../../../schemas/records.js";
import type { ExportAsked } from "../../../dataset.js";
import { cutRows } from "../../../export/row-groups.js";
import { writeParquet } from "../../../export/write-parquet.js";
import type { Exported, ExportFiles, ExportJob, ImageRow } from "../../../ports/exports.js";
import { shardParts } from "../../../shards.js";
import { cardText, type HfFile } from "./hf-card.js";
import { loadCell } from "./hf-cells.js";
import { GROUPS, type Kind, PAIRS, type PlacedPair, ROWS } from "./hf-columns.js";
import { featureMetadata } from "./hf-features.js";
import { type Prompt, pairsOf, promptsOf, type RewardImage } from "./pairs.js";

interface HfWanted {
	snapshot: Snapshot;
	pairs: ExportAsked["pairs"];
	/** Sizes to offer, such as `1k`; the last is the default. */
	sizes: string[];
}

/**
 * A dataset repository as the Hub has them, without any script: `data/<rows|groups|pairs>/<shard>-<n>.parquet`, which the
 * sizes share since each is the first so many train shards, and the card that names them.
 */
export async function exportHf(job: ExportJob, files: ExportFiles, wanted: HfWanted): Promise<Exported> {
	const pairs = PAIRS[wanted.pairs];
	const made: HfFile[] = [];
	const before = new Map<string, number>();
	for await (const { shard, rows } of job.shards()) {
		const { split } = shardParts(shard);
		const first = before.get(split) ?? 0;
		before.set(split, first + rows.length);
		const prompts = promptsOf(rows);
		const images = rows as RewardImage[];
		made.push(...(await writeKind(job, files, ROWS, { shard, rows: images })));
		job.onImages(rows.length);
		made.push(...(await writeKind(job, files, GROUPS, { shard, rows: prompts })));
		made.push(...(await writeKind(job, files, pairs, { shard, rows: placedPairs(images, prompts, first) })));
	}
	const card = cardText({ ...wanted, kinds: [ROWS, GROUPS, pairs], files: made, counts: job.counts });
	const last = await job.file("README.md", (local) => writeFile(local, card));
	return { files: [...made.map(({ file }) => file), last], last };
}

/** @param first how many rows of the split stand before this shard's */
function placedPairs(rows: ImageRow[], prompts: Prompt[], first: number): PlacedPair[] {
	const places = new Map<ImageRow, number>(rows.map((row, at) => [row, first + at]));
	const place = (image: ImageRow): number => places.get(image) ?? 0;
	return prompts.flatMap(pairsOf).map((pair) => ({
		...pair,
		betterRow: place(pair.better),
		worseRow: place(pair.worse),
	}));
}

async function writeKind<Row>(
	job: ExportJob,
	files: ExportFiles,
	kind: Kind<Row>,
	{ shard, rows }: { shard: string; rows: Row[] },
): Promise<HfFile[]> {
	const made: HfFile[] = [];
	const bytesOf = (row: Row): number => kind.images(row).reduce((sum, { bytes }) => sum + bytes, 0);
	const metadata = featureMetadata(kind.columns);
	const cells = (row: Row) => Promise.all(kind.cells(row).map((cell) => loadCell(cell, (image) => job.bytesOf(image))));
	for (const [at, groups] of cutRows(rows, bytesOf).entries()) {
		const path = `data/${kind.folder}/${shard}-${String(at).padStart(3, "0")}.parquet`;
		const file = await job.file(path, (local) => {
			return writeParquet(files, { columns: kind.columns, groups, cells, metadata }, local, job.signal);
		});
		made.push({ folder: kind.folder, shard, rows: groups.reduce((sum, group) => sum + group.length, 0), file });
	}
	return made;
}
