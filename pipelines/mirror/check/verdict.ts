import type { FindingCode, Severity } from "../../../schemas/codes.js";
import type { CoreCounts } from "../../../schemas/records.js";
import type { Row, TableRow } from "../../../schemas/tables.js";
import type { GoodImage } from "../../dataset.js";
import type { Member } from "../../ports/archive.js";
import type { ImageResult } from "../../ports/images.js";
import type { PlainRow } from "../../ports/tables.js";

/** What the stages hand to each other. Plain data. */

/** One thing that validation noticed; becomes one row of `quarantine`. */
export interface Finding {
	code: FindingCode;
	severity: Severity;
	image_path: string | null;
	/** The value of the dataset's group column. */
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

/** The split's metadata, as far as one shard is concerned. */
export interface ShardMetadata {
	/** By image path; a path whose rows contradict each other has more than one. */
	rows: Map<string, PlainRow[]>;
	/** Columns that the metadata has beyond those of the dataset, sorted. */
	unknownColumns: string[];
	/** SHA-256 over the rows and unknown columns, whatever the file's order and integer widths. */
	sha256: string;
	/** Paths that the predicate chooses; null without one: all. */
	chosen: ReadonlySet<string> | null;
}

/** One row of the shard's JSON. */
export interface CheckedRow {
	/** Index in the JSON. */
	place: number;
	/** As it is told in quarantine. */
	raw: unknown;
	/** Its fields, by their names in the JSON; empty where it is no object. */
	fields: Readonly<Record<string, unknown>>;
	/** Null when a field is missing or of the wrong type. What the metadata alone tells is added once they agree. */
	row: Row | null;
	/** The path and the group, where they are usable texts. */
	imagePath: string | null;
	group: string | null;
	/** Last segment of `imagePath`. */
	fileName: string | null;
	/** Whether the path is one of this shard's. */
	placed: boolean;
	findings: Finding[];
	/** Whether the row only repeats an equal one. */
	repeats: boolean;
	/** Whether the metadata knows the image and the predicate does not choose it: then nothing more is said of the row. */
	unselected: boolean;
}

/** What the rows and the metadata say, before any image is read. */
export interface CheckedRows {
	rows: CheckedRow[];
	/** About groups, columns and metadata rows. */
	findings: Finding[];
}

/** What the images say: a result, by its name, for each member that was read; with a predicate not all are. */
export interface CheckedImages {
	members: Member[];
	results: Map<string, ImageResult>;
}

/** A row whose three records agree and whose image is good. */
export interface GoodRow extends GoodImage {
	place: number;
	member: string;
	source: { sha256: string; bytes: number; crc32: string };
	/** Codes of the warnings about this image alone, sorted. */
	warnings: string[];
}

/** The verdict on a shard: what is published, what is in quarantine, and counts that add up. */
export interface Verdict {
	good: GoodRow[];
	/** In the order of the quarantine table. */
	findings: Finding[];
	/** Rows with usable columns, good or not, in the order of the JSON. */
	rows: Row[];
	counts: Omit<CoreCounts, "objects_bytes">;
	/** Rejected for a defect of their own or their image's: the numerator of the reject ratio. */
	defective: number;
}

/** The rows of one shard's tables, and what is counted on the way. */
export interface ShardTables {
	rows: Record<string, TableRow[]>;
	counts: Record<string, number>;
}
