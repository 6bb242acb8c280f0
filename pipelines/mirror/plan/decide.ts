import { LakeError } from "../../../schemas/errors.js";
import type { Receipt, Snapshot } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import { type Dataset, metadataPath, shardFiles, shardParts } from "../../dataset.js";
import { endBytes } from "../../fetch/ranged-zip.js";
import { inputSha256 } from "../../lake/receipt.js";
import type { ShardFiles } from "../../ports/archive.js";
import type { Listing, ShardInput } from "../../ports/source.js";
import type { Selection } from "./selection.js";
import { workId } from "./work-id.js";

/** Decides what a run has to do. Plain data in, plain data out; no I/O. */

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

/** Done earlier without `--keep-rejected`, which is now asked for. */
export const UNKEPT = "rejected images not kept yet";

/** Largest selected share of a shard's images for which images are fetched one by one. */
const RANGED_SHARE = 0.2;
/** Estimated bytes of each image's row in the JSON, selected or not. */
const RECORD_BYTES = 400;

/** What is wanted, and what the source has. */
export interface WantedWork {
	dataset: Dataset;
	wanted: string[];
	listing: Listing;
	settings: Settings;
}

/** The work on one shard, independent of who does it. */
export interface ShardWork {
	shard: string;
	input: ShardInput;
	files: ShardFiles;
	metadataRowsSha256: string;
	workId: string;
}

export interface ShardPlan extends ShardWork {
	action: "reuse" | "process" | "keep";
	reason: Reason;
	/** The receipt that `reuse` and `keep` rely on. */
	receipt: Receipt | null;
	/** With a predicate, if the metadata was read: how many of the shard's images it selects, and how they are fetched. */
	selection: { images: number; chosen: number; ranged: boolean } | null;
	/** Bytes to download, or to read from a local copy, if the shard is processed; an estimate for ranges. */
	fetchBytes: number;
}

/** The state of the lake. */
export interface LakeState {
	listing: Pick<Listing, "commit" | "committedAt" | "explicitCommit">;
	base: Snapshot | null;
	/** Receipts in the lake, by work id: those of the base's shards, and of other work done before. */
	receipts: Map<string, Receipt>;
	/** `committed_at` of the commits at which the base's shards were read. */
	commitDates: Map<string, string>;
}

export interface PlanInput extends LakeState {
	works: ShardWork[];
	settings: Settings;
	/** The predicate's selection in each shard; empty without a predicate. */
	selections: Map<string, Selection>;
	/** Shards whose zip is not on this machine. */
	remote: Set<string>;
	/** Shards whose rejected images should be kept and are not in the lake. */
	unkept: Set<string>;
}

/** Throws SHARD_MISSING or METADATA_MISSING, naming everything that is missing, before any work. */
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
 * The work on each wanted shard that the source has, in the order of `wanted`.
 * @param rowsSha256 hash of each shard's metadata rows
 */
export function shardWorks(
	{ dataset, wanted, listing, settings }: WantedWork,
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

/** Work that is not known to be done; the lake may still have a receipt of it that no snapshot names. */
export function openWorks(works: ShardWork[], lake: LakeState): ShardWork[] {
	return works.filter(({ shard, workId: id }) => !lake.receipts.has(id) && laterReceipt(shard, lake) === null);
}

/** The plan for each shard, in the order of the works. */
export function planShards(given: PlanInput): ShardPlan[] {
	return given.works.map((work) => ({
		...work,
		...decideShard(work, given),
		...planFetch(work.shard, work.input.bytes, given),
	}));
}

function decideShard(
	{ shard, workId: id, input, metadataRowsSha256 }: ShardWork,
	given: PlanInput,
): Pick<ShardPlan, "action" | "reason" | "receipt"> {
	const published = publishedAs(shard, given);
	const receipt = given.receipts.get(id) ?? null;
	const upToDate = published?.work_id === id && receipt !== null;
	const later = upToDate ? null : laterReceipt(shard, given);
	if (later) return { action: "keep", reason: "the lake has it from a later commit", receipt: later };
	if (receipt && given.unkept.has(shard)) return { action: "process", reason: UNKEPT, receipt: null };
	if (upToDate) return { action: "reuse", reason: "up to date", receipt };
	if (receipt) return { action: "reuse", reason: "done earlier, not yet published", receipt };
	const old = published && given.receipts.get(published.work_id);
	const now = { inputSha256: input.sha256, metadataRowsSha256 };
	const [reason = "new"] = old ? changesOf(old, now, given.settings) : [];
	return { action: "process", reason, receipt: null };
}

function publishedAs(shard: string, { base }: LakeState): Snapshot["shards"][number] | undefined {
	return base?.shards.find((entry) => entry.shard === shard);
}

/** The receipt of a shard that the lake has from a later commit than the listed one; else null. */
function laterReceipt(shard: string, lake: LakeState): Receipt | null {
	const published = publishedAs(shard, lake);
	if (!published || !isLater(published.commit, lake.listing, lake.commitDates)) return null;
	return lake.receipts.get(published.work_id) ?? null;
}

/**
 * Chooses between byte ranges and the whole zip. Above one image in five, some 400 ranged requests take about as long as
 * the whole zip, which can also be checked against its hash. Depends only on metadata and listing, so that every worker
 * decides alike.
 */
export function planFetch(
	shard: string,
	bytes: number,
	{ selections, remote }: Pick<PlanInput, "selections" | "remote">,
): Pick<ShardPlan, "selection" | "fetchBytes"> {
	const selection = selections.get(shard);
	if (!selection) return { selection: null, fetchBytes: bytes };
	const { images } = selection;
	const chosen = selection.chosen.size;
	const parts = Math.round((bytes * chosen) / Math.max(1, images)) + images * RECORD_BYTES + 2 * endBytes(bytes);
	const ranged = remote.has(shard) && chosen <= images * RANGED_SHARE && parts < bytes;
	return { selection: { images, chosen, ranged }, fetchBytes: ranged ? parts : bytes };
}

/** Whether the lake's commit is later than the listed one. A run on a branch must not go back; one on an explicit commit may. */
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

/** All differences between a shard's work and an old receipt, given that their work ids differ. */
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

/**
 * Hashes of the shards' metadata rows from the lake's own records, without reading the metadata. They are valid if the
 * source lists the same file that the snapshot recorded, and the shard was last seen at the snapshot's commit. Null when
 * this does not hold for one of the wanted shards.
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
