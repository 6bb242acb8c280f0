import { writeFile } from "node:fs/promises";
import type { Snapshot } from "../../../../schemas/records.js";
import type { ExportAsked } from "../../../dataset.js";
import { cutRows } from "../../../export/row-groups.js";
import { writeParquet } from "../../../export/write-parquet.js";
import type { Exported, ExportFiles, ExportJob, ImageRow } from "../../../ports/exports.js";
import { shardParts } from "../../../shards.js";
import { cardText, type HfFile } from "./hf-card.js";
import { loadCell } from "./hf-cells.js";
import { type ConfigurationKind, GROUPS, PAIRS, type PlacedPair, ROWS } from "./hf-columns.js";
import { featureMetadata } from "./hf-features.js";
import { type Prompt, pairsOf, promptsOf, type RewardImage } from "./pairs.js";

interface HfWanted {
	snapshot: Snapshot;
	pairs: ExportAsked["pairs"];
	/** Sizes to offer, such as `1k`; the last is the default. */
	sizes: string[];
}

/**
 * A dataset repository for the Hub, without a loading script: `data/<rows|groups|pairs>/<shard>-<n>.parquet`, which the
 * sizes share, since each consists of the first train shards up to some number, and the card that lists them.
 */
export async function exportHf(job: ExportJob, files: ExportFiles, wanted: HfWanted): Promise<Exported> {
	const pairs = PAIRS[wanted.pairs];
	const written: HfFile[] = [];
	const before = new Map<string, number>();
	for await (const { shard, rows } of job.shards()) {
		const { split } = shardParts(shard);
		const first = before.get(split) ?? 0;
		before.set(split, first + rows.length);
		const prompts = promptsOf(rows);
		const images = rows as RewardImage[];
		written.push(...(await writeKind(job, files, ROWS, { shard, rows: images })));
		job.onImages(rows.length);
		written.push(...(await writeKind(job, files, GROUPS, { shard, rows: prompts })));
		written.push(...(await writeKind(job, files, pairs, { shard, rows: placedPairs(images, prompts, first) })));
	}
	const card = cardText({ ...wanted, kinds: [ROWS, GROUPS, pairs], files: written, counts: job.counts });
	const last = await job.file("README.md", (local) => writeFile(local, card));
	return { files: [...written.map(({ file }) => file), last], last };
}

/** @param first number of the split's rows in earlier shards */
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
	kind: ConfigurationKind<Row>,
	{ shard, rows }: { shard: string; rows: Row[] },
): Promise<HfFile[]> {
	const written: HfFile[] = [];
	const bytesOf = (row: Row): number => kind.images(row).reduce((sum, { bytes }) => sum + bytes, 0);
	const metadata = featureMetadata(kind.columns);
	const cells = (row: Row) => Promise.all(kind.cells(row).map((cell) => loadCell(cell, (image) => job.bytesOf(image))));
	for (const [at, groups] of cutRows(rows, bytesOf).entries()) {
		const path = `data/${kind.folder}/${shard}-${String(at).padStart(3, "0")}.parquet`;
		const file = await job.file(path, (local) => {
			return writeParquet(files, { columns: kind.columns, groups, cells, metadata }, local, job.signal);
		});
		written.push({ folder: kind.folder, shard, rows: groups.reduce((sum, group) => sum + group.length, 0), file });
	}
	return written;
}
