import { createHash } from "node:crypto";
import { canonicalJson } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import type { ShardInput } from "../../ports/source.js";

/** Raised when the meaning of the output changes, not with each release. */
export const PIPELINE_VERSION = 1;

/** Everything that one shard's output depends on. */
export interface Work {
	dataset: string;
	shard: string;
	input: ShardInput;
	metadataRowsSha256: string;
	settings: Settings;
}

/** 64 hex digits. The same id and the same release give the same bytes. */
export function workId({ dataset, shard, input, metadataRowsSha256, settings }: Work): string {
	const parts = {
		dataset,
		shard,
		[input.form === "zip" ? "zip_sha256" : "files_sha256"]: input.sha256,
		metadata_rows_sha256: metadataRowsSha256,
		settings,
		pipeline_version: PIPELINE_VERSION,
	};
	return createHash("sha256").update(canonicalJson(parts)).digest("hex");
}
