import { endBytes } from "../../fetch/ranged-zip.js";
import type { Listing, Source } from "../../ports/source.js";
import type { Selection } from "./selection.js";

/** Largest share of a shard's images that is fetched image by image. */
const RANGED_SHARE = 0.2;

/** About what an image takes beside its bytes, whether it is chosen or not: a row of the JSON. */
const RECORD_BYTES = 400;

/** What tells how a shard's content is had. */
export interface FetchInput {
	/** What the predicate chooses of each shard; empty without one. */
	selections: Map<string, Selection>;
	/** Shards whose zip is not on this machine. */
	remote: Set<string>;
}

export interface FetchPlan {
	/** With a predicate, where the metadata was read: how many of the shard's images it chooses, and how they are had. */
	selection: { images: number; chosen: number; ranged: boolean } | null;
	/** What comes over the network, or is read of a local copy, if the shard is processed; by ranges about. */
	fetchBytes: number;
}

/**
 * How a shard's content is had. Parts of it, where few images are wanted: at a fifth some 400 requests of one image each
 * take about as long as the whole zip does, whose hash can be checked then. Depends on metadata and listing only, so that
 * every worker decides alike.
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
