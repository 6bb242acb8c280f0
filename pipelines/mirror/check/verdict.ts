import type { FindingCode, Severity } from "../../../schemas/codes.js";
import type { CoreCounts } from "../../../schemas/records.js";
import type { Row, TableRow } from "../../../schemas/tables.js";
import type { GoodImage } from "../../dataset.js";
import type { Member } from "../../ports/archive.js";
import type { ImageResult } from "../../ports/images.js";
import type { PlainRow } from "../../ports/tables.js";

/** What the stages pass to each other. Plain data. */

/** One finding of validation; becomes one row of `quarantine`. */
export interface Finding {
	code: FindingCode;
	severity: Severity;
	image_path: string | null;
	/** Value of the dataset's group column. */
	group: string | null;
	/** Name relative to the shard's folder. */
	member: string | null;
	detail: string;
	/** `JSON.stringify` of the offending row. */
	row: string | null;
	bytes: number | null;
	sha256: string | null;
	/** Index of the row in the JSON. */
	place: number | null;
}

/** The part of the split's metadata that concerns one shard. */
export interface ShardMetadata {
	/** By image path; a path whose rows contradict each other has more than one. */
	rows: Map<string, PlainRow[]>;
	/** Columns of the metadata that the dataset does not define, sorted. */
	unknownColumns: string[];
	/** SHA-256 over the rows and unknown columns, independent of the file's order and integer widths. */
	sha256: string;
	/** Paths that the predicate selects; null without a predicate, which selects all. */
	chosen: ReadonlySet<string> | null;
}

/** One row of the shard's JSON. */
export interface CheckedRow {
	/** Index in the JSON. */
	place: number;
	/** The row as quarantine shows it. */
	raw: unknown;
	/** Its fields, by their names in the JSON; empty if it is not an object. */
	fields: Readonly<Record<string, unknown>>;
	/** Null when a field is missing or of the wrong type. Values that only the metadata has are added once both agree. */
	row: Row | null;
	/** The path and the group, if they are valid texts. */
	imagePath: string | null;
	group: string | null;
	/** Last segment of `imagePath`. */
	fileName: string | null;
	/** Whether the path is a valid one in this shard. */
	placed: boolean;
	findings: Finding[];
	/** Whether the row is a copy of an earlier one. */
	repeats: boolean;
	/** Whether the metadata lists the image and the predicate does not select it; nothing more is then checked. */
	unselected: boolean;
}

/** Result of checking rows and metadata, before any image is read. */
export interface CheckedRows {
	rows: CheckedRow[];
	/** Findings about groups, columns and metadata rows. */
	findings: Finding[];
}

/** Result of checking the images: one by name for each member read; with a predicate, not all are read. */
export interface CheckedImages {
	members: Member[];
	results: Map<string, ImageResult>;
}

/** A row on which JSON, metadata and image agree. */
export interface GoodRow extends GoodImage {
	place: number;
	member: string;
	source: { sha256: string; bytes: number; crc32: string };
	/** Codes of the warnings about this image, sorted. */
	warnings: string[];
}

/** The verdict on a shard: what is published, what is in quarantine, and counts that add up. */
export interface Verdict {
	good: GoodRow[];
	/** Findings in the order of the quarantine table. */
	findings: Finding[];
	/** Rows with valid columns, good or not, in the order of the JSON. */
	rows: Row[];
	counts: Omit<CoreCounts, "objects_bytes">;
	/** Rows rejected for their own or their image's defect: the numerator of the reject ratio. */
	defective: number;
}

/** The rows of one shard's tables, and the dataset's counts. */
export interface ShardTables {
	rows: Record<string, TableRow[]>;
	counts: Record<string, number>;
}
