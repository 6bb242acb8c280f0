import type { Scalar, Table, TableRow } from "../../schemas/tables.js";

/** Parquet files, as the stages read and write them. Adapters under `infra/` implement these. */

export interface ParquetColumn {
	name: string;
	/** As the parquet reader names it. */
	type: string;
}

/** A column of a metadata file, and the name it gets here. */
export interface MetadataColumn {
	name: string;
	/** Name in the file. */
	column: string;
	/** Any integer width and any floating-point width is accepted. Timestamps are in microseconds since 1970 UTC. */
	type: "text" | "integer" | "real" | "timestamp";
}

/** Selects rows whose cell in a column of the file starts with this text, or equals this number. */
export type RowsWhere = { column: string; startsWith: string } | { column: string; equals: number };

/**
 * A row of a parquet file: integers as numbers if they are safe, else as text; timestamps in microseconds; lists as
 * text.
 */
export type PlainRow = Record<string, Scalar>;

/** One row in two files of a table; null on the side whose file lacks it. */
export interface RowDifference {
	before: PlainRow | null;
	after: PlainRow | null;
}

export interface TableFiles {
	/** Columns of a parquet file. Throws METADATA_MISSING when it cannot be read. */
	columns(file: string): Promise<ParquetColumn[]>;
	/**
	 * Rows of a metadata file (all if null), under the names used here, in batches, in no order. Throws METADATA_MISSING.
	 */
	metadataRows(file: string, columns: readonly MetadataColumn[], where: RowsWhere | null): AsyncIterable<PlainRow[]>;
	/** These columns of a parquet file's rows, in the file's order, in batches. */
	read(file: string, columns: readonly string[]): AsyncIterable<PlainRow[]>;
	/**
	 * Rows that differ between two files of one table, with all columns, matched and ordered by its key, in batches. Null
	 * stands for a file without rows. Throws LAKE_DAMAGED when one cannot be read, NO_SPACE.
	 */
	differences(table: Table, before: string | null, after: string | null): AsyncIterable<RowDifference[]>;
	/** Writes rows in their order. The same rows give the same bytes. */
	write(table: Table, rows: Iterable<TableRow>, file: string): Promise<void>;
	close(): Promise<void>;
}

/** A metadata row, and the shard of its image. */
export interface PlacedRow {
	row: PlainRow;
	split: string;
	/** The shard's number in its split. */
	shard: number;
}

/** A yes-or-no expression over metadata rows, parsed and found safe. */
export interface Predicate {
	/** Whether it is true for each row; NULL counts as false. Throws USAGE if it fails on a row. */
	selects(rows: PlacedRow[]): Promise<boolean[]>;
	close(): Promise<void>;
}
