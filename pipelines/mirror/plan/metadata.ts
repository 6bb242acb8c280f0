import { createHash } from "node:crypto";
import { LakeError } from "../../../schemas/errors.js";
import type { Split } from "../../../schemas/records.js";
import { INTEGER_COLUMNS, type MetadataRow, ROW_COLUMNS, TEXT_COLUMNS } from "../../../schemas/row.js";
import { allShards, type Dataset, shardParts } from "../../dataset.js";
import type { MetadataColumn, TableFiles } from "../../ports/tables.js";
import { byCodePoint } from "../../text.js";
import type { ShardMetadata } from "../check/verdict.js";
import type { Selecting, Selection } from "./selection.js";

/** A split's metadata parquet, read and found to have the columns it must have. */
export interface SplitMetadata {
	split: Split;
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

const INTEGER_TYPE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;

/** Throws METADATA_SCHEMA_DRIFT, naming file, column and both types; returns the columns that are too many. */
export function checkColumns(columns: MetadataColumn[], path: string): string[] {
	const types = new Map(columns.map(({ name, type }) => [name, type]));
	function drift(column: string, expected: string): never {
		const found = types.get(column) ?? "missing";
		throw new LakeError("METADATA_SCHEMA_DRIFT", `${path}: column ${column} should be ${expected}, but is ${found}`, {
			path,
		});
	}
	for (const name of TEXT_COLUMNS) if (types.get(name) !== "VARCHAR") drift(name, "text (VARCHAR)");
	for (const name of INTEGER_COLUMNS) if (!INTEGER_TYPE.test(types.get(name) ?? "")) drift(name, "an integer");
	const known = new Set<string>(ROW_COLUMNS);
	return [...types.keys()].filter((name) => !known.has(name)).sort(byCodePoint);
}

/** Reads a split's metadata once, to tell what each shard's rows are and how many lie in none. */
export async function readSplitMetadata(
	tables: TableFiles,
	dataset: Dataset,
	file: Pick<SplitMetadata, "split" | "path" | "file" | "sha256" | "bytes">,
	selecting: Selecting | null,
): Promise<SplitMetadata> {
	const unknownColumns = checkColumns(await tables.columns(file.file), file.path);
	const shards = allShards(dataset).filter((shard) => shardParts(shard).split === file.split);
	const lines = new Map<string, string[]>(shards.map((shard) => [shard, []]));
	const byPrefix = new Map(shards.map((shard) => [dataset.rowPrefix(shard), shard]));
	let strayRows = 0;
	for await (const batch of tables.metadataRows(file.file, "")) {
		const placed: Parameters<Selecting["add"]>[0] = [];
		for (const row of batch) {
			const path = typeof row.image_path === "string" ? row.image_path : "";
			const shard = byPrefix.get(path.slice(0, path.lastIndexOf("/") + 1));
			if (shard === undefined) {
				strayRows++;
				continue;
			}
			lines.get(shard)?.push(rowLine(row));
			placed.push({ row, path, split: file.split, shard: shardParts(shard).number });
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
	const prefix = dataset.rowPrefix(shard);
	const rows = new Map<string, MetadataRow[]>();
	for await (const batch of tables.metadataRows(metadata.file, prefix)) {
		for (const row of batch) {
			const path = row.image_path;
			if (typeof path !== "string" || path.lastIndexOf("/") !== prefix.length - 1) continue;
			const same = rows.get(path) ?? [];
			if (!same.some((one) => rowLine(one) === rowLine(row))) same.push(row);
			rows.set(path, same);
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
function rowLine(row: MetadataRow): string {
	return JSON.stringify(ROW_COLUMNS.map((column) => row[column]));
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
