import type { Receipt } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import { inputSha256 } from "../../lake/receipt.js";

export type Reason =
	| "new"
	| "zip changed"
	| "metadata changed"
	| "settings changed"
	| "pipeline changed"
	| "up to date"
	| "done earlier, not yet published"
	| "the lake has it from a later commit"
	| typeof UNKEPT;

/** Done earlier, when the bytes of rejected images were not asked for. */
export const UNKEPT = "rejected images not kept yet";

/** Everything in which a shard's work differs from what a receipt records; of equal work ids nothing does. */
export function changesOf(
	old: Receipt,
	now: { inputSha256: string; metadataRowsSha256: string },
	settings: Settings,
): Reason[] {
	const keys = Object.keys(settings) as (keyof Settings)[];
	const changes: Reason[] = [];
	if (inputSha256(old) !== now.inputSha256) changes.push("zip changed");
	if (old.inputs.metadata_rows_sha256 !== now.metadataRowsSha256) changes.push("metadata changed");
	if (keys.some((key) => old.settings[key] !== settings[key])) changes.push("settings changed");
	return changes.length > 0 ? changes : ["pipeline changed"];
}
