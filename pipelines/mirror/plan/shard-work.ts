import { LakeError } from "../../../schemas/errors.js";
import type { Receipt, Snapshot } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import type { Dataset } from "../../dataset.js";
import type { ShardFiles } from "../../ports/archive.js";
import type { Listing, ShardInput } from "../../ports/source.js";
import { shardFiles, shardParts } from "../../shards.js";
import { metadataPath } from "../../splits.js";
import { workId } from "./work-id.js";

/** What there is to do of each shard, whether it was done or not. Plain data in, plain data out; no I/O. */

/** What is asked for, and what the source has of it. */
export interface Asked {
	dataset: Dataset;
	wanted: string[];
	listing: Listing;
	settings: Settings;
}

/** What is to be done of one shard, whoever does it. */
export interface ShardWork {
	shard: string;
	input: ShardInput;
	files: ShardFiles;
	metadataRowsSha256: string;
	workId: string;
}

/** Throws SHARD_MISSING and METADATA_MISSING, naming all of them, before any work. */
export function requireListed(listing: Listing, wanted: string[], splits: string[], dataset: Dataset): void {
	const shards = wanted.filter((shard) => !listing.shards.has(shard));
	const where = `${listing.uri}${listing.commit ? ` at ${listing.commit.slice(0, 12)}` : ""}`;
	if (shards.length > 0) {
		const paths = shards.map((shard) => dataset.layout.zipPath(shard));
		throw new LakeError("SHARD_MISSING", `${where} lacks ${count(shards, "shard")}: ${paths.join(", ")}`, {
			path: paths[0] ?? "",
		});
	}
	const missing = splits.filter((split) => !listing.metadata.has(split)).map((split) => metadataPath(dataset, split));
	if (missing.length > 0) {
		throw new LakeError("METADATA_MISSING", `${where} lacks ${missing.join(", ")}`, { path: missing[0] ?? "" });
	}
}

function count(items: unknown[], noun: string): string {
	return `${items.length} ${noun}${items.length === 1 ? "" : "s"}`;
}

/**
 * The work on each wanted shard that the source has, in the order asked.
 * @param rowsSha256 of each shard's metadata rows
 */
export function shardWorks(
	{ dataset, wanted, listing, settings }: Asked,
	rowsSha256: Map<string, string>,
): ShardWork[] {
	return wanted.flatMap((shard) => {
		const input = listing.shards.get(shard);
		if (!input) return [];
		const metadataRowsSha256 = rowsSha256.get(shard) ?? "";
		const id = workId({ dataset: dataset.name, shard, input, metadataRowsSha256, settings });
		return { shard, input, files: shardFiles(dataset, shard), metadataRowsSha256, workId: id };
	});
}

/**
 * Hashes of the shards' metadata rows as the lake's own records tell them, without reading the metadata: where
 * the source lists the very file that the snapshot recorded, and the shard was last seen at the snapshot's commit.
 * Null when one of the wanted shards cannot be told so.
 */
export function knownRows(
	base: Snapshot | null,
	receipts: Map<string, Receipt>,
	listing: Listing,
	wanted: string[],
): Map<string, string> | null {
	if (!base || base.source.commit === null) return null;
	const rows = new Map<string, string>();
	for (const name of wanted) {
		const { split } = shardParts(name);
		const entry = base.shards.find(({ shard }) => shard === name);
		const recorded = base.source.metadata.find((file) => file.split === split);
		const receipt = entry && receipts.get(entry.work_id);
		if (!entry || !receipt || !recorded || entry.commit !== base.source.commit) return null;
		if (listing.metadata.get(split)?.sha256 !== recorded.sha256) return null;
		rows.set(name, receipt.inputs.metadata_rows_sha256);
	}
	return rows;
}
