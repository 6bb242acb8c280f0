import { createHash } from "node:crypto";
import { LakeError } from "../../../schemas/errors.js";
import { type Dataset, metadataColumns, predicateRow } from "../../dataset.js";
import type { MetadataColumn, ParquetColumn, PlainRow, TableFiles } from "../../ports/tables.js";
import { allShards, shardParts } from "../../shards.js";
import { byCodePoint } from "../../text.js";
import type { ShardMetadata } from "../check/verdict.js";
import type { Selecting, Selection } from "./selection.js";

/** A split's metadata parquet, read and found to have the columns it must have. */
export interface SplitMetadata {
	split: string;
	/** Path in the source. */
	path: string;
	/** Where it lies on this machine. */
	file: string;
	sha256: string;
	bytes: number;
	unknownColumns: string[];
	/** SHA-256 of each shard's own rows, by shard; every shard of the split has one. */
	rowsSha256: Map<string, string>;
	/** Rows whose path lies in no shard of the split. */
	strayRows: number;
	/** What the predicate chooses of each shard, by its name; null without a predicate. */
	selections: Map<string, Selection> | null;
}

/** How each type of column is told, and what the parquet reader may call it. */
const TYPES: Record<MetadataColumn["type"], { told: string; is: RegExp }> = {
	text: { told: "text (VARCHAR)", is: /^VARCHAR$/ },
	integer: { told: "an integer", is: /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/ },
	real: { told: "a floating-point number", is: /^(FLOAT|DOUBLE)$/ },
	timestamp: { told: "a moment (TIMESTAMP)", is: /^TIMESTAMP/ },
};

/** Throws METADATA_SCHEMA_DRIFT, naming file, column and both types; returns the columns that are too many. */
function checkColumns(found: ParquetColumn[], wanted: readonly MetadataColumn[], path: string): string[] {
	const types = new Map(found.map(({ name, type }) => [name, type]));
	for (const { column, type } of wanted) {
		const present = types.get(column) ?? "missing";
		const { told, is } = TYPES[type];
		if (is.test(present)) continue;
		throw new LakeError("METADATA_SCHEMA_DRIFT", `${path}: column ${column} should be ${told}, but is ${present}`, {
			path,
		});
	}
	const known = new Set(wanted.map(({ column }) => column));
	return [...types.keys()].filter((name) => !known.has(name)).sort(byCodePoint);
}

/** Reads a split's metadata once, to tell what each shard's rows are and how many lie in none. */
export async function readSplitMetadata(
	tables: TableFiles,
	dataset: Dataset,
	file: Pick<SplitMetadata, "split" | "path" | "file" | "sha256" | "bytes">,
	selecting: Selecting | null,
): Promise<SplitMetadata> {
	const columns = metadataColumns(dataset);
	const unknownColumns = checkColumns(await tables.columns(file.file), columns, file.path);
	const shards = allShards(dataset).filter((shard) => shardParts(shard).split === file.split);
	const lines = new Map<string, string[]>(shards.map((shard) => [shard, []]));
	let strayRows = 0;
	for await (const batch of tables.metadataRows(file.file, columns, null)) {
		const placed: Parameters<Selecting["add"]>[0] = [];
		for (const row of batch) {
			const place = dataset.layout.metadata.place(row, file.split);
			if (place === null) {
				strayRows++;
				continue;
			}
			const { shard, imagePath: path } = place;
			lines.get(shard)?.push(rowLine(row, columns));
			if (!selecting) continue;
			const seen = predicateRow(dataset, row, path);
			placed.push({ row: seen, path, split: file.split, shard: shardParts(shard).number });
		}
		await selecting?.add(placed);
	}
	const rowsSha256 = new Map([...lines].map(([shard, own]) => [shard, rowsHash(own, unknownColumns)]));
	const selections = selecting && new Map(shards.map((shard) => [shard, selecting.of(shard)]));
	return { ...file, unknownColumns, rowsSha256, strayRows, selections };
}

/** The metadata of one shard's images. */
export async function readShardMetadata(
	tables: TableFiles,
	dataset: Dataset,
	metadata: SplitMetadata,
	shard: string,
): Promise<ShardMetadata> {
	const { of, place } = dataset.layout.metadata;
	const columns = metadataColumns(dataset);
	const rows = new Map<string, PlainRow[]>();
	for await (const batch of tables.metadataRows(metadata.file, columns, of(shard))) {
		for (const row of batch) {
			const placed = place(row, metadata.split);
			if (placed?.shard !== shard) continue;
			const same = rows.get(placed.imagePath) ?? [];
			const line = rowLine(row, columns);
			if (!same.some((one) => rowLine(one, columns) === line)) same.push(row);
			rows.set(placed.imagePath, same);
		}
	}
	return {
		rows,
		unknownColumns: metadata.unknownColumns,
		sha256: metadata.rowsSha256.get(shard) ?? "",
		chosen: metadata.selections && (metadata.selections.get(shard)?.chosen ?? new Set()),
	};
}

/** One row in a form that knows no column order and no integer width. */
function rowLine(row: PlainRow, columns: readonly MetadataColumn[]): string {
	return JSON.stringify(columns.map(({ name }) => row[name]));
}

function rowsHash(lines: string[], unknownColumns: string[]): string {
	const hash = createHash("sha256").update(`${JSON.stringify(unknownColumns)}\n`);
	let last: string | null = null;
	for (const line of lines.sort()) {
		if (line !== last) hash.update(`${line}\n`);
		last = line;
	}
	return hash.digest("hex");
}
