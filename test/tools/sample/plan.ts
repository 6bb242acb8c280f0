import type { FindingCode } from "../../../schemas/codes.js";
import type { SourceRow } from "../../support/tables.js";
import type { Fault } from "../hub/faults.js";
import type { EntryLies } from "./zip-writer.js";

/** What a member's picture is made from. */
export type PictureSource =
	| { kind: "drawn"; seed: string; alpha: boolean }
	/** One of the real pictures, with the member's name in a chunk of its own. */
	| { kind: "real"; file: string };

export interface PlannedMember {
	/** File name: `<uuid>.webp`. */
	name: string;
	picture: PictureSource;
	/** Makes the member's bytes from its picture; absent: they are the picture. */
	change?: (webp: Buffer) => Buffer | Promise<Buffer>;
	/** How its entry in the zip is wrong. */
	lies?: (content: Buffer) => EntryLies;
	/** What a mirror must do with it. */
	fate: "published" | "rejected" | "orphan";
}

export interface PlannedRow {
	/** The row as the shard's JSON has it. */
	json: Record<string, unknown>;
	/** The row as the metadata has it, or null. */
	metadata: SourceRow | null;
	rejected: boolean;
}

/** The rows of one prompt. */
export interface PlannedGroup {
	rows: PlannedRow[];
	/** Whether a defect was planted here already. */
	taken: boolean;
}

/** One defect as it was planted. */
export interface PlantedDefect {
	code: FindingCode;
	variant: string;
	/** Null where it is about a split's metadata. */
	shard: string | null;
	image_path: string | null;
	prompt_id: string | null;
	/** File name of the member, or of the damaged file. */
	member: string | null;
	note: string;
	/** What the test Hub must be told to do, where a folder cannot show the defect. */
	hub_fault?: Fault;
}

/** How a shard's zip is wrong as a whole. */
export interface ZipDamage {
	/** Bytes before the first entry. */
	prefix?: Buffer;
	/** Entries after the honest ones. */
	extra?: { name: string; content: Buffer; lies?: EntryLies }[];
	/** Added to the number of entries in the end record. */
	countError?: number;
	/** The part of the file that is kept. */
	keep?: number;
}

/** One shard, before anything is written. */
export interface ShardPlan {
	shard: string;
	groups: PlannedGroup[];
	members: Map<string, PlannedMember>;
	/** Metadata rows that the JSON lacks. */
	extraMetadata: SourceRow[];
	planted: PlantedDefect[];
	/** Finding counts that a mirror must come to. */
	findings: Partial<Record<FindingCode, number>>;
	/** The fatal code that this shard must end with, or null. */
	fatal: FindingCode | null;
	/** No file is written for it. */
	absent: boolean;
	/** The JSON's text as written; null: none is. */
	jsonText: (text: string) => string | null;
	zip: ZipDamage;
}

export function rowsOf(plan: ShardPlan): PlannedRow[] {
	return plan.groups.flatMap(({ rows }) => rows);
}

/** File name in a row's `image_path`. */
export function fileNameOf(row: PlannedRow): string {
	const path = String(row.json.image_path);
	return path.slice(path.lastIndexOf("/") + 1);
}

export function countFinding(plan: ShardPlan, code: FindingCode, count: number): void {
	plan.findings[code] = (plan.findings[code] ?? 0) + count;
}
