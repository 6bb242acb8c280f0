import type { Snapshot } from "../../schemas/records.js";
import type { Listing } from "../ports/source.js";
import type { Reader } from "../ports/store.js";
import { readSnapshot, snapshotPaths } from "./snapshot.js";

/** `committed_at` of each commit that the base's shards were read at, from the snapshots that recorded them. */
export async function commitDatesOf(
	store: Reader,
	base: Snapshot | null,
	listing: Pick<Listing, "commit" | "committedAt" | "explicitCommit">,
): Promise<Map<string, string>> {
	const dates = new Map<string, string>();
	if (!base || listing.explicitCommit || listing.committedAt === null) return dates;
	const missing = new Set(base.shards.flatMap(({ commit }) => commit ?? []));
	function learn({ source }: Snapshot): void {
		if (source.commit !== null && source.committed_at !== null) dates.set(source.commit, source.committed_at);
		if (source.commit !== null) missing.delete(source.commit);
	}
	learn(base);
	if (listing.commit !== null) missing.delete(listing.commit);
	if (missing.size === 0) return dates;
	for (const { path } of (await snapshotPaths(store)).reverse()) {
		if (missing.size === 0) break;
		learn((await readSnapshot(store, path)).snapshot);
	}
	return dates;
}

/** A run on a branch must not go back behind what the lake has; one on an explicit commit may. */
export function isLater(
	commit: string | null,
	listing: Pick<Listing, "commit" | "committedAt" | "explicitCommit">,
	commitDates: Map<string, string>,
): boolean {
	if (listing.explicitCommit || commit === null || commit === listing.commit || listing.committedAt === null)
		return false;
	const date = commitDates.get(commit);
	return date !== undefined && date > listing.committedAt;
}
