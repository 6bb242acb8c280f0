import { writeFile } from "node:fs/promises";
import type { ColumnType, Scalar } from "../../schemas/tables.js";
import type { Dataset, SourceColumn } from "../dataset.js";
import type { ExportColumn, Exported, ExportFiles, ExportJob, ImageRow } from "../ports/exports.js";
import { shardParts } from "../shards.js";
import { metadataPath } from "../splits.js";
import { fileNameOf, imageFiles } from "./job.js";
import { writeParquet } from "./write-parquet.js";

/** Rows in a row group of the metadata; 100,000 rows take about 20 MB. */
const GROUP_ROWS = 2048;

/** An image, and the path that its file has in this export: it may have been encoded anew. */
interface PlacedImage {
	image: ImageRow;
	shard: string;
	path: string;
}

/**
 * Exports the source's own layout, unpacked: each shard's images in its folder with its JSON beside them, and each
 * split's metadata. A mirror can use it as a source.
 */
export async function exportFiles(job: ExportJob, parquet: ExportFiles, dataset: Dataset): Promise<Exported> {
	const { layout } = dataset;
	const files = [];
	const bySplit = new Map<string, PlacedImage[]>();
	for await (const { shard, rows } of job.shards()) {
		const folder = layout.folderPath(shard);
		const pathOf = (image: ImageRow): string => `${folder}/${fileNameOf(image)}`;
		const placed = rows.map((image) => ({ image, shard, path: pathOf(image) }));
		const { split } = shardParts(shard);
		bySplit.set(split, [...(bySplit.get(split) ?? []), ...placed]);
		await imageFiles(job, rows, pathOf);
		const text = `${JSON.stringify(jsonOf(dataset, placed), null, 4)}\n`;
		files.push(await job.file(`${folder}/${layout.jsonName(shard)}`, (local) => writeFile(local, text)));
	}
	for (const [split, placed] of bySplit) {
		if (placed.length === 0) continue;
		const told = dataset.columns.filter(({ metadata }) => metadata !== undefined);
		const groups = Array.from({ length: Math.ceil(placed.length / GROUP_ROWS) }, (_, at) => {
			return placed.slice(at * GROUP_ROWS, (at + 1) * GROUP_ROWS);
		});
		const cells = async (one: PlacedImage) => told.map((column) => metadataCell(column, one));
		files.push(
			await job.file(metadataPath(dataset, split), (local) => {
				return writeParquet(
					parquet,
					{ columns: told.map(exportColumn), groups, cells, metadata: null },
					local,
					job.signal,
				);
			}),
		);
	}
	return { files, last: null };
}

/** A shard's JSON, in the form of the source's. */
function jsonOf({ columns, layout }: Dataset, placed: PlacedImage[]): unknown {
	const rows = placed.map(({ image, path }) => {
		const fields = columns.flatMap(({ name, json }) => {
			if (json === undefined || (layout.json === "object" && name === "image_path")) return [];
			return [[json.field, name === "image_path" ? path : image[name]]];
		});
		return [path.slice(path.lastIndexOf("/") + 1), Object.fromEntries(fields)] as const;
	});
	return layout.json === "object" ? Object.fromEntries(rows) : rows.map(([, row]) => row);
}

function metadataCell({ name, derive, metadata }: SourceColumn, { image, shard, path }: PlacedImage): Scalar {
	if (derive !== undefined) return derive(shard, path);
	const cell = name === "image_path" ? path : (image[name] ?? null);
	return metadata?.write ? metadata.write(cell) : cell;
}

const TYPES = { text: "text", integer: "long", real: "double", timestamp: "timestamp" } as const;

/** As narrow as the lake's own column, where that is of the same kind. */
function exportColumn({ type, metadata }: SourceColumn): ExportColumn {
	const told = metadata?.type ?? "text";
	const name = metadata?.column ?? "";
	const own: Partial<Record<string, ExportColumn["type"]>> = NARROW[told];
	return { name, type: own[String(type)] ?? TYPES[told] };
}

const NARROW = {
	text: {},
	integer: { byte: "byte", integer: "integer" },
	real: { real: "real" },
	timestamp: {},
} as const satisfies Record<string, Partial<Record<ColumnType & string, ExportColumn["type"]>>>;
