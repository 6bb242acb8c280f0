import type { Split } from "../../schemas/records.js";
import type { MetadataRow } from "../../schemas/row.js";
import type { TableName, TableRow } from "../../schemas/tables.js";

/** Parquet files, as the stages read and write them. Adapters under `infra/` implement these. */

export interface MetadataColumn {
	name: string;
	/** As the parquet reader names it. */
	type: string;
}

/** A row as a parquet file has it: integers as numbers where they are safe, else as text; lists as text. */
export type PlainRow = Record<string, string | number | null>;

/** One row as it stands in two files of a table; null where that file lacks it. */
export interface RowDifference {
	before: PlainRow | null;
	after: PlainRow | null;
}

export interface TableFiles {
	/** Columns of a parquet file. Throws METADATA_MISSING when it cannot be read. */
	columns(file: string): Promise<MetadataColumn[]>;
	/** Metadata rows whose `image_path` starts with `prefix` (all with ""), in batches, in no order. */
	metadataRows(file: string, prefix: string): AsyncIterable<MetadataRow[]>;
	/** Rows of a parquet file, these columns only, in the file's order, in batches. */
	read(file: string, columns: string[]): AsyncIterable<PlainRow[]>;
	/**
	 * Rows in which two files of one table differ, all columns, matched and ordered by `key`, in batches; null is a file
	 * without rows. Throws LAKE_DAMAGED when one cannot be read, NO_SPACE.
	 */
	differences(
		table: TableName,
		key: readonly string[],
		before: string | null,
		after: string | null,
	): AsyncIterable<RowDifference[]>;
	/** Writes rows in their order; same rows, same bytes. */
	write(table: TableName, rows: Iterable<TableRow>, file: string): Promise<void>;
	close(): Promise<void>;
}

/** A metadata row, and the shard that its image lies in. */
export interface PlacedRow {
	row: MetadataRow;
	split: Split;
	/** The shard's number in its split. */
	shard: number;
}

/** A yes-or-no expression over metadata rows, read and found harmless. */
export interface Predicate {
	/** Whether it is true of each row; where it is false or NULL, it is not. Throws USAGE where it fails on a row. */
	selects(rows: PlacedRow[]): Promise<boolean[]>;
	close(): Promise<void>;
}
