import type { FindingCode } from "../schemas/codes.js";
import type { Snapshot } from "../schemas/records.js";
import type { SourceFormat } from "../schemas/stored-format.js";
import type { Column, ColumnType, Row, Scalar, Table, TableRow } from "../schemas/tables.js";
import type { Exported, ExportFiles, ExportJob, ImageRow } from "./ports/exports.js";
import type { StoredImage } from "./ports/images.js";
import type { MetadataColumn, PlainRow, RowsWhere } from "./ports/tables.js";

/**
 * What the core knows of a dataset: zips of images with a JSON each, and a metadata parquet for each split. A dataset is
 * a folder in `datasets/` that makes one of these; `workers/wire.ts` alone chooses which. The core owns the tables
 * `images` and `quarantine`, and knows no column, split, subset or count by name.
 */
export interface Dataset {
	/** Enters the work id, so that a renamed repository redoes nothing. Lower case, digits and `-`. */
	name: string;
	/** Name for people. */
	title: string;
	/** Repository on the Hub, and the names it had before. */
	repo: string;
	formerRepos: readonly string[];
	layout: Layout;
	/** Columns, in the order of the `images` table. */
	columns: readonly SourceColumn[];
	/** The column whose equal values form a group of images, such as those of one prompt; null if there are no groups. */
	group: string | null;
	checks: Checks;
	tables: DatasetTables;
	/** Formats of `irlake export` besides the core's own, by name. */
	exports: Readonly<Record<string, DatasetExport>>;
	card: Card;
}

/** Where a dataset's files are in its source. A shard's name is `<split>_<n>`. */
export interface Layout {
	/** In their order. A split is a part of the dataset with its own metadata file. */
	splits: readonly { name: string; shards: number; metadata: string }[];
	/** By name, smallest first: how many of each split's first shards are in it. */
	subsets: Readonly<Record<string, Readonly<Record<string, number>>>>;
	/** The subset that is taken when none is named. */
	defaultSubset: string;
	zipPath(shard: string): string;
	/** Folder of an unpacked shard. */
	folderPath(shard: string): string;
	/** The shard's JSON, inside its zip or folder. */
	jsonName(shard: string): string;
	/** Folders that contain all zips. */
	zipFolders: readonly string[];
	/**
	 * `array`: of rows, each with its image path in the field of the column `image_path`. `object`: of rows by file name.
	 */
	json: "array" | "object";
	/** Format of a shard's images. */
	format(shard: string): SourceFormat;
	/** Pattern of an image's file name, and the same for people. */
	fileName: { pattern: RegExp; shown: string };
	/** Prefix of the image paths in a shard's rows, with its final `/`. */
	rowPrefix(shard: string): string;
	metadata: MetadataPlaces;
}

/** How to find the shard of a metadata row. */
interface MetadataPlaces {
	/** A filter on one column that keeps all rows of a shard and few others, so that less is read. */
	of(shard: string): RowsWhere;
	/** Shard and image path of a row; null if it is in no shard of the split. */
	place(row: PlainRow, split: string): { shard: string; imagePath: string } | null;
}

/**
 * One fact about each image; `image_path` is always among them. Where JSON and metadata both have it, they must agree.
 */
export interface SourceColumn {
	/** Its name in the lake. */
	name: string;
	/** Type in the `images` table; null: it is not published. */
	type: ColumnType | null;
	/** Absent if the JSON does not have it. */
	json?: {
		field: string;
		/** The value in the lake's form; undefined if it is not a valid one. */
		read(value: unknown): Scalar | undefined;
	};
	/** Absent if the metadata does not have it. */
	metadata?: Omit<MetadataColumn, "name"> & {
		/** The cell in the lake's form, to be compared with the JSON's value. Default: the cell unchanged. */
		read?(cell: Scalar): Scalar;
		/** The reverse of `read`, for exports. */
		write?(value: Scalar): Scalar;
	};
	/** For a column that is not published: its value, derived from the image's place. */
	derive?(shard: string, imagePath: string): Scalar;
}

/** A finding, without the row it is about. */
export interface Remark {
	code: FindingCode;
	detail: string;
}

export interface Checks {
	/** Checks one row by itself, beyond the types of its fields. */
	row(row: Row): Remark[];
	/**
	 * Checks the rows of one group, in the order of the JSON.
	 * @param images how many images they name, unreadable rows included
	 */
	group(rows: readonly Row[], images: number): Remark[];
}

/** An image with good bytes, on which all records agree. */
export interface GoodImage {
	/** File name without its extension. */
	id: string;
	row: Row;
	image: StoredImage;
}

/** What a dataset's own tables are made from. */
export interface GoodShard {
	/** In the order of the JSON. */
	images: readonly GoodImage[];
	/** Rows with usable fields, good or not, in the order of the JSON. */
	rows: readonly Row[];
}

export interface DatasetTables {
	/** In the order in which a publish commits them, after `images` and before `quarantine`. */
	list: readonly Table[];
	/** Names of counts besides the core's own; one that is a table's name counts that table's rows. */
	counts: readonly string[];
	/** Rows of each table, and the counts. */
	make(shard: GoodShard): { rows: Record<string, TableRow[]>; counts: Record<string, number> };
}

/** Options of an export besides its target. */
export interface ExportAsked {
	/** For formats with pairs: whether a pair names its images or contains them. */
	pairs: "rows" | "embed";
	/** The largest subset asked for. */
	subset: string | undefined;
}

export interface DatasetExport {
	/** The options that the format's bytes depend on. */
	options(asked: ExportAsked): Record<string, string | number>;
	write(job: ExportJob, files: ExportFiles, about: { snapshot: Snapshot; asked: ExportAsked }): Promise<Exported>;
}

/** Examples for the command line's help. */
export interface Examples {
	/** Lists of shards. */
	someShards: string;
	fewShards: string;
	/** Predicates: on a number, on a text, and one that selects groups. */
	predicate: string;
	textPredicate: string;
	groupPredicate: string;
}

/** The figures on the dataset's own page, to print beside those counted. */
export interface Card {
	/** Headings, each with the counts it sums. */
	figures: readonly { heading: string; counts: readonly string[] }[];
	/** For each split of the largest subset: one text for each heading. */
	said: Readonly<Record<string, readonly string[]>>;
	/** Further counts of an export's images, besides `images`. @param rows of one shard */
	countExported(rows: readonly ImageRow[]): Record<string, number>;
	examples: Examples;
}

/** The dataset's columns of `images`. */
export function publishedColumns({ columns }: Dataset): Column[] {
	return columns.flatMap(({ name, type }) => (type === null ? [] : [{ name, type }]));
}

/** Columns of the metadata, under the lake's names. */
export function metadataColumns({ columns }: Dataset): MetadataColumn[] {
	return columns.flatMap(({ name, metadata }) =>
		metadata === undefined ? [] : [{ name, column: metadata.column, type: metadata.type }],
	);
}

/** A column's cell of a metadata row, in the lake's form. */
export function lakeCell({ name, metadata }: SourceColumn, row: PlainRow): Scalar {
	const cell = row[name] ?? null;
	return metadata?.read ? metadata.read(cell) : cell;
}

/** Columns of `images` that a predicate can speak of: those that the metadata tells, and where the image is. */
function toldColumns({ columns }: Dataset): (SourceColumn & { type: ColumnType })[] {
	return columns.filter((column): column is SourceColumn & { type: ColumnType } => {
		return column.type !== null && (column.metadata !== undefined || column.name === "image_path");
	});
}

const PREDICATE_TYPES: Partial<Record<ColumnType & string, MetadataColumn["type"]>> = {
	byte: "integer",
	integer: "integer",
	long: "integer",
	real: "real",
	double: "real",
	timestamp: "timestamp",
};

/** What a predicate speaks of: the lake's columns, not those of the file that they are read from. */
export function predicateColumns(dataset: Dataset): MetadataColumn[] {
	return toldColumns(dataset).map(({ name, type }) => {
		return { name, column: name, type: (typeof type === "string" ? PREDICATE_TYPES[type] : undefined) ?? "text" };
	});
}

/** A metadata row as a predicate sees it. */
export function predicateRow(dataset: Dataset, row: PlainRow, imagePath: string): PlainRow {
	const cells = toldColumns(dataset).map((column) => {
		return [column.name, column.name === "image_path" ? imagePath : lakeCell(column, row)] as const;
	});
	return Object.fromEntries(cells);
}
