import type { FindingCode, Severity } from "../../../schemas/codes.js";
import type { Counts } from "../../../schemas/records.js";
import type { MetadataRow, SourceRow } from "../../../schemas/row.js";
import type { TableName, TableRow } from "../../../schemas/tables.js";
import type { Member } from "../../ports/archive.js";
import type { ImageResult, StoredImage } from "../../ports/images.js";

/** What the stages hand to each other. Plain data. */

/** One thing that validation noticed; becomes one row of `quarantine`. */
export interface Finding {
	code: FindingCode;
	severity: Severity;
	image_path: string | null;
	prompt_id: string | null;
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
	rows: Map<string, MetadataRow[]>;
	/** Columns that the metadata has beyond the nine, sorted. */
	unknownColumns: string[];
	/** SHA-256 over the rows and unknown columns, whatever the file's order and integer widths. */
	sha256: string;
	/** Paths that the predicate chooses; null without one: all. */
	chosen: ReadonlySet<string> | null;
}

/** One element of the shard's JSON array. */
export interface CheckedRow {
	/** Index in the JSON. */
	place: number;
	raw: unknown;
	/** Null when it does not have the nine columns. */
	row: SourceRow | null;
	/** `image_path` and `prompt_id`, where they are usable texts. */
	imagePath: string | null;
	promptId: string | null;
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
	/** About prompts, columns and metadata rows. */
	findings: Finding[];
}

/** What the images say: a result, by its name, for each member that was read; with a predicate not all are. */
export interface CheckedImages {
	members: Member[];
	results: Map<string, ImageResult>;
}

/** A row whose three records agree and whose image is good. */
export interface GoodRow {
	place: number;
	row: SourceRow;
	member: string;
	image: StoredImage;
	source: { sha256: string; bytes: number; crc32: string };
	/** Codes of the warnings about this image alone, sorted. */
	warnings: string[];
}

/** The verdict on a shard: what is published, what is in quarantine, and counts that add up. */
export interface Settled {
	good: GoodRow[];
	/** In the order of the quarantine table. */
	findings: Finding[];
	/** Rows with usable columns, good or not, in the order of the JSON: what prompts take their first row from. */
	rows: { place: number; row: SourceRow }[];
	counts: Omit<Counts, "prompts" | "pairs" | "ties" | "objects_bytes">;
	/** Rejected for a defect of their own or their image's: the numerator of the reject ratio. */
	defective: number;
}

/** The rows of one shard's four tables, and what is counted on the way. */
export interface ShardTables {
	rows: Record<TableName, TableRow[]>;
	prompts: number;
	/** Strictly ordered pairs. */
	pairs: number;
	ties: number;
}
