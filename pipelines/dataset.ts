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
	/** As a person writes it. */
	title: string;
	/** Repository on the Hub, and the names it had before. */
	repo: string;
	formerRepos: readonly string[];
	layout: Layout;
	/** In the order of the `images` table. */
	columns: readonly SourceColumn[];
	/** The column whose equal values make a group of images, such as those of one prompt; null where there are no groups. */
	group: string | null;
	checks: Checks;
	tables: DatasetTables;
	/** Formats of `irlake export` beside the core's own, by name. */
	exports: Readonly<Record<string, DatasetExport>>;
	card: Card;
}

/** Where a dataset's files are, in its source. A shard's name is `<split>_<n>`. */
export interface Layout {
	/** In their order. A split is what has a metadata file of its own. */
	splits: readonly { name: string; shards: number; metadata: string }[];
	/** By name, smallest first: how many of each split's first shards belong to it. */
	subsets: Readonly<Record<string, Readonly<Record<string, number>>>>;
	/** What is meant where no subset is named. */
	defaultSubset: string;
	zipPath(shard: string): string;
	/** Folder of an unpacked shard. */
	folderPath(shard: string): string;
	/** The shard's JSON, inside its zip or folder. */
	jsonName(shard: string): string;
	/** Folders below which every zip lies. */
	zipFolders: readonly string[];
	/** `array`: of rows, whose image path stands in the field of the column `image_path`. `object`: of rows by file name. */
	json: "array" | "object";
	/** Of the images of a shard. */
	format(shard: string): SourceFormat;
	/** What an image's file is called, and how to say so. */
	fileName: { pattern: RegExp; shown: string };
	/** What the image path of each of a shard's rows starts with, with its `/`. */
	rowPrefix(shard: string): string;
	metadata: MetadataPlaces;
}

/** How a row of the metadata tells its place. */
interface MetadataPlaces {
	/** What all rows of a shard have in one column, and few others: less is read so. */
	of(shard: string): RowsWhere;
	/** The shard and the image path of a row; null of one that lies in no shard of the split. */
	place(row: PlainRow, split: string): { shard: string; imagePath: string } | null;
}

/**
 * One fact that a dataset tells of each image; `image_path` is always one of them. Where JSON and metadata both tell it,
 * they must agree.
 */
export interface SourceColumn {
	/** Its name in the lake. */
	name: string;
	/** In the `images` table; null: it is not published. */
	type: ColumnType | null;
	/** Absent: the JSON does not tell it. */
	json?: {
		field: string;
		/** The value in the lake's form; undefined where it cannot be one. */
		read(value: unknown): Scalar | undefined;
	};
	/** Absent: the metadata does not tell it. */
	metadata?: Omit<MetadataColumn, "name"> & {
		/** The cell in the lake's form, so that it can be held against the JSON's. Default: as it is. */
		read?(cell: Scalar): Scalar;
		/** The reverse of `read`, for exports. */
		write?(value: Scalar): Scalar;
	};
	/** Of a column that is not published: what an image's place makes it. */
	derive?(shard: string, imagePath: string): Scalar;
}

/** A finding without what it is about. */
export interface Remark {
	code: FindingCode;
	detail: string;
}

export interface Checks {
	/** What a row says by itself, beyond the types of its fields. */
	row(row: Row): Remark[];
	/** About the rows of one group, in the order of the JSON. @param images how many images they name, unreadable rows counted */
	group(rows: readonly Row[], images: number): Remark[];
}

/** An image whose records agree and whose bytes are good. */
export interface GoodImage {
	/** File name without its ending. */
	id: string;
	row: Row;
	image: StoredImage;
}

/** What tables of a dataset's own are made from. */
export interface GoodShard {
	/** In the order of the JSON. */
	images: readonly GoodImage[];
	/** Rows with usable fields, good or not, in the order of the JSON. */
	rows: readonly Row[];
}

export interface DatasetTables {
	/** In the order in which a publish commits them: after `images`, before `quarantine`. */
	list: readonly Table[];
	/** Names of what is counted beside the core's own counts; one that is a table's name counts its rows. */
	counts: readonly string[];
	/** Rows of each table, and the counts. */
	make(shard: GoodShard): { rows: Record<string, TableRow[]>; counts: Record<string, number> };
}

/** What an export is asked for beside its place. */
export interface ExportAsked {
	/** Whether pairs name their images or hold them, where a format has pairs. */
	pairs: "rows" | "embed";
	/** The largest subset asked for. */
	subset: string | undefined;
}

export interface DatasetExport {
	/** Of what was asked, that on which the format's bytes depend. */
	options(asked: ExportAsked): Record<string, string | number>;
	write(job: ExportJob, files: ExportFiles, about: { snapshot: Snapshot; asked: ExportAsked }): Promise<Exported>;
}

/** What help and examples of the command line are made of. */
export interface Examples {
	/** Lists of shards. */
	someShards: string;
	fewShards: string;
	/** Predicates: by a number, by a text, and one that chooses groups. */
	predicate: string;
	textPredicate: string;
	groupPredicate: string;
}

/** What the dataset's own page says, to stand beside what was counted. */
export interface Card {
	/** Headings, each with the counts that it adds up. */
	figures: readonly { heading: string; counts: readonly string[] }[];
	/** For each split, of the largest subset: one text a heading. */
	said: Readonly<Record<string, readonly string[]>>;
	/** What an export's images are counted as, beside `images`. @param rows of one shard */
	countExported(rows: readonly ImageRow[]): Record<string, number>;
	examples: Examples;
}

/** Columns of `images` that the dataset tells. */
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
