import { writeFile } from "node:fs/promises";
import type { Split } from "../../schemas/records.js";
import { ROW_COLUMNS, type SourceRow, TEXT_COLUMNS } from "../../schemas/row.js";
import { type Dataset, shardParts } from "../dataset.js";
import { imageFiles } from "../datasets/imagereward-db/exports/imagereward.js";
import { countShard } from "../datasets/imagereward-db/exports/prompts.js";
import type { ExportColumn, ExportFiles } from "../ports/exports.js";
import { type Exported, type ExportJob, fileNameOf, type ImageRow } from "./job.js";
import { writeParquet } from "./write-parquet.js";

const TEXTS: ReadonlySet<string> = new Set(TEXT_COLUMNS);
const COLUMNS: ExportColumn[] = ROW_COLUMNS.map((name) => ({ name, type: TEXTS.has(name) ? "text" : "byte" }));

/** Rows in a row group of the metadata; 100,000 rows take about 20 MB. */
const GROUP_ROWS = 2048;

/**
 * Exports the layout of the dataset's card, unpacked: `images/<split>/<shard>/<uuid>.webp` and `<shard>.json` beside them,
 * and `metadata-<split>.parquet`. A mirror can use it as a source.
 */
export async function exportFiles(job: ExportJob, parquet: ExportFiles, dataset: Dataset): Promise<Exported> {
	const counts = { images: 0, prompts: 0, pairs: 0, ties: 0 };
	const files = [];
	const metadata = new Map<Split, SourceRow[]>();
	for await (const shard of job.shards()) {
		countShard(counts, shard);
		const folder = dataset.folderPath(shard.shard);
		const pathOf = (image: ImageRow): string => `${folder}/${fileNameOf(image)}`;
		const rows = shard.rows.map((image) => sourceRow(image, pathOf(image)));
		const { split } = shardParts(shard.shard);
		metadata.set(split, [...(metadata.get(split) ?? []), ...rows]);
		await imageFiles(job, shard.rows, pathOf);
		const text = `${JSON.stringify(rows, null, 4)}\n`;
		files.push(await job.file(`${folder}/${dataset.jsonName(shard.shard)}`, (local) => writeFile(local, text)));
	}
	for (const [split, rows] of metadata) {
		if (rows.length === 0) continue;
		const groups = Array.from({ length: Math.ceil(rows.length / GROUP_ROWS) }, (_, at) => {
			return rows.slice(at * GROUP_ROWS, (at + 1) * GROUP_ROWS);
		});
		const cells = async (row: SourceRow) => ROW_COLUMNS.map((name) => row[name]);
		files.push(
			await job.file(dataset.metadataPath(split), (local) => {
				return writeParquet(parquet, { columns: COLUMNS, groups, cells, metadata: null }, local, job.signal);
			}),
		);
	}
	return { counts, files, last: null };
}

/** The nine columns, with the path of the exported file, which may have another extension than the original. */
function sourceRow(image: ImageRow, path: string): SourceRow {
	const cells = ROW_COLUMNS.map((name) => [name, name === "image_path" ? path : image[name]] as const);
	return Object.fromEntries(cells) as SourceRow; // one cell for each of its columns
}
