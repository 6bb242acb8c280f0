import type { Scalar, Table, TableRow } from "../../schemas/tables.js";

/** Parquet files, as the stages read and write them. Adapters under `infra/` implement these. */

export interface ParquetColumn {
	name: string;
	/** As the parquet reader names it. */
	type: string;
}

/** A column of a metadata file, and what it is called here. */
export interface MetadataColumn {
	name: string;
	/** In the file. */
	column: string;
	/** Any integer width will do, and any width of floating point. Moments are in microseconds since 1970 UTC. */
	type: "text" | "integer" | "real" | "timestamp";
}

/** Rows whose cell of a column of the file begins so, or is this number. */
export type RowsWhere = { column: string; startsWith: string } | { column: string; equals: number };

/**
 * A row as a parquet file has it: integers as numbers where they are safe, else as text; moments in microseconds; lists
 * as text.
 */
export type PlainRow = Record<string, Scalar>;

/** One row as it stands in two files of a table; null where that file lacks it. */
export interface RowDifference {
	before: PlainRow | null;
	after: PlainRow | null;
}

export interface TableFiles {
	/** Columns of a parquet file. Throws METADATA_MISSING when it cannot be read. */
	columns(file: string): Promise<ParquetColumn[]>;
	/** Rows of a metadata file (all with null), by the columns' names here, in batches, in no order. Throws METADATA_MISSING. */
	metadataRows(file: string, columns: readonly MetadataColumn[], where: RowsWhere | null): AsyncIterable<PlainRow[]>;
	/** Rows of a parquet file, these columns only, in the file's order, in batches. */
	read(file: string, columns: readonly string[]): AsyncIterable<PlainRow[]>;
	/**
	 * Rows in which two files of one table differ, all columns, matched and ordered by its key, in batches; null is a file
	 * without rows. Throws LAKE_DAMAGED when one cannot be read, NO_SPACE.
	 */
	differences(table: Table, before: string | null, after: string | null): AsyncIterable<RowDifference[]>;
	/** Writes rows in their order; same rows, same bytes. */
	write(table: Table, rows: Iterable<TableRow>, file: string): Promise<void>;
	close(): Promise<void>;
}

/** A metadata row, and the shard that its image lies in. */
export interface PlacedRow {
	row: PlainRow;
	split: string;
	/** The shard's number in its split. */
	shard: number;
}

/** A yes-or-no expression over metadata rows, read and found harmless. */
export interface Predicate {
	/** Whether it is true of each row; where it is false or NULL, it is not. Throws USAGE where it fails on a row. */
	selects(rows: PlacedRow[]): Promise<boolean[]>;
	close(): Promise<void>;
}
