import { endBytes } from "../../fetch/ranged-zip.js";
import type { Listing, Source } from "../../ports/source.js";
import type { Selection } from "./selection.js";

/** Largest selected share of a shard's images for which images are fetched one by one. */
const RANGED_SHARE = 0.2;

/** Estimated bytes of each image's row in the JSON, selected or not. */
const RECORD_BYTES = 400;

/** What decides how a shard's content is fetched. */
export interface FetchInput {
	/** The predicate's selection in each shard; empty without a predicate. */
	selections: Map<string, Selection>;
	/** Shards whose zip is not on this machine. */
	remote: Set<string>;
}

export interface FetchPlan {
	/**
	 * With a predicate, if the metadata was read: how many of the shard's images it selects, and how they are fetched.
	 */
	selection: { images: number; chosen: number; ranged: boolean } | null;
	/** Bytes to download, or to read from a local copy, if the shard is processed; an estimate for ranges. */
	fetchBytes: number;
}

/**
 * Chooses between byte ranges and the whole zip. Above one image in five, some 400 ranged requests take about as long as
 * the whole zip, which can also be checked against its hash. Depends only on metadata and listing, so that every worker
 * decides alike.
 */
export function planFetch(shard: string, bytes: number, { selections, remote }: FetchInput): FetchPlan {
	const selection = selections.get(shard);
	if (!selection) return { selection: null, fetchBytes: bytes };
	const { images } = selection;
	const chosen = selection.chosen.size;
	const parts = Math.round((bytes * chosen) / Math.max(1, images)) + images * RECORD_BYTES + 2 * endBytes(bytes);
	const ranged = remote.has(shard) && chosen <= images * RANGED_SHARE && parts < bytes;
	return { selection: { images, chosen, ranged }, fetchBytes: ranged ? parts : bytes };
}

/** Shards whose zip would have to be downloaded. */
export function remoteShards(source: Source, { shards }: Listing): Set<string> {
	const remote = [...shards].filter(([, input]) => input.form === "zip" && source.localPath(input.file) === null);
	return new Set(remote.map(([shard]) => shard));
}
