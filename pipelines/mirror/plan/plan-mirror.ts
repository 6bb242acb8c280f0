import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { LakeError } from "../../../schemas/errors.js";
import type { Receipt, Snapshot, Split } from "../../../schemas/records.js";
import type { AskedSettings, Settings } from "../../../schemas/settings.js";
import { type Dataset, shardParts } from "../../dataset.js";
import { download } from "../../fetch/download.js";
import { readLatestSnapshot, readReceipt, readSnapshot, snapshotPaths } from "../../lake/snapshot.js";
import { markedReceipts } from "../../lake/vacuum-records.js";
import type { Clock } from "../../ports/run.js";
import type { Listing, Source, SourceFile } from "../../ports/source.js";
import type { Store } from "../../ports/store.js";
import type { Predicate, TableFiles } from "../../ports/tables.js";
import type { RetryPolicy } from "../../retry.js";
import { hashFile } from "../../scratch/hash-file.js";
import { knownRows, planShards, requireListed, type ShardPlan } from "./decide.js";
import { readSplitMetadata, type SplitMetadata } from "./metadata.js";
import { Selecting, type Selection } from "./selection.js";
import { chooseSettings } from "./settings.js";
import { planUnkept } from "./unkept.js";
import { receiptPath } from "./work-id.js";

/** What a mirror is asked to do. */
export interface MirrorRequest {
	/** Shards in the dataset's order. */
	wanted: string[];
	settings: AskedSettings;
	newSettings: boolean;
	prune: boolean;
	keepRejected: boolean;
	/** Name and version of what re-encodes in this release; asked for where images are not kept as they are. */
	codec(): Promise<string>;
}

export interface PlanTools {
	dataset: Dataset;
	source: Source;
	store: Store;
	tables: TableFiles;
	clock: Clock;
	scratch: string;
	/** Of downloads; default RETRY_POLICY. */
	retry?: RetryPolicy;
	/** A download of metadata failed; the next attempt comes after so many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Told how many bytes of metadata came over the network. */
	onFetched(bytes: number): void;
	/** Reads a predicate. Throws USAGE for one that is refused. */
	openPredicate(where: string): Promise<Predicate>;
}

/** What the source's metadata is read with. */
export type MetadataTools = Omit<PlanTools, "store">;

/** A plan with everything it was made from. */
export interface MirrorPlan {
	listing: Listing;
	settings: Settings;
	/** The snapshot it was planned on, as `latest.json` names it. */
	base: Snapshot | null;
	shards: ShardPlan[];
	/** Empty when nothing is to be done and the lake's own records told so. */
	metadata: Map<Split, SplitMetadata>;
	/** Whether a run would change nothing. */
	upToDate: boolean;
}

/** Lists the source, reads metadata and receipts, and plans. Writes to scratch only. */
export async function planMirror(request: MirrorRequest, tools: PlanTools, signal: AbortSignal): Promise<MirrorPlan> {
	const { dataset, store } = tools;
	const { wanted } = request;
	const base = (await readLatestSnapshot(store))?.snapshot ?? null;
	const image = request.settings.image ?? base?.settings.image ?? "passthrough";
	const codec = image === "passthrough" ? "" : await request.codec();
	const settings = chooseSettings(request.settings, base?.settings ?? null, codec, request.newSettings);
	requireCovered(request, settings, base);
	const asked = splitsOf(dataset, wanted);
	const present = splitsOf(dataset, [...wanted, ...(base?.shards.map(({ shard }) => shard) ?? [])]);
	const listing = await tools.source.list({ shards: wanted, splits: present }, signal);
	requireListed(listing, wanted, asked, dataset);

	const receipts = await receiptsOf(store, base?.shards.map(({ receipt }) => receipt) ?? []);
	const commitDates = await commitDatesOf(store, base, listing);
	const remote = remoteShards(tools.source, listing);
	const given = { dataset, wanted, listing, settings, base, receipts, commitDates, remote };
	const plan = async (rowsSha256: Map<string, string>, selections: Map<string, Selection>): Promise<ShardPlan[]> => {
		const shards = planShards({ ...given, rowsSha256, selections });
		return request.keepRejected ? planUnkept(shards, tools) : shards;
	};
	const told = knownRows(base, receipts, listing, wanted);
	if (told) {
		const shards = await plan(told, new Map());
		if (isUpToDate(shards, request, base)) {
			return { listing, settings, base, shards, metadata: new Map(), upToDate: true };
		}
	}
	const metadata = await readMetadata(present, listing, settings, tools, signal, new Set(asked));
	const rowsSha256 = new Map([...metadata.values()].flatMap((split) => [...split.rowsSha256]));
	const selections = new Map([...metadata.values()].flatMap((split) => [...(split.selections ?? [])]));
	const first = planShards({ ...given, rowsSha256, selections });
	const unpublished = first.filter(({ action }) => action === "process");
	const paths = unpublished.map(({ shard, workId }) => receiptPath(shard, workId));
	for (const [id, receipt] of await unmarkedReceipts(store, paths)) receipts.set(id, receipt);
	const shards = await plan(rowsSha256, selections);
	requireCodec(shards, settings, codec);
	return { listing, settings, base, shards, metadata, upToDate: isUpToDate(shards, request, base) };
}

/** Shards whose zip would have to be downloaded. */
export function remoteShards(source: Source, { shards }: Listing): Set<string> {
	const remote = [...shards].filter(([, input]) => input.form === "zip" && source.localPath(input.file) === null);
	return new Set(remote.map(([shard]) => shard));
}

export function splitsOf(dataset: Dataset, shards: string[]): Split[] {
	const present = new Set(shards.map((shard) => shardParts(shard).split));
	return dataset.splits.filter((split) => present.has(split));
}

function isUpToDate(shards: ShardPlan[], { wanted, prune }: MirrorRequest, base: Snapshot | null): boolean {
	const drops = prune && (base?.shards.some(({ shard }) => !wanted.includes(shard)) ?? false);
	return !drops && shards.every(({ action, reason }) => action === "keep" || reason === "up to date");
}

/** New settings must hold for the whole lake: one lake, one set of settings. */
export function requireCovered(
	{ wanted, prune }: Pick<MirrorRequest, "wanted" | "prune">,
	settings: Settings,
	base: Snapshot | null,
): void {
	if (!base || prune) return;
	const keys = Object.keys(settings) as (keyof Settings)[];
	if (keys.every((key) => settings[key] === base.settings[key])) return;
	const left = base.shards.map(({ shard }) => shard).filter((shard) => !wanted.includes(shard));
	if (left.length === 0) return;
	throw new LakeError(
		"SETTINGS_DIFFER",
		`--new-settings must cover every published shard; left out: ${left.join(", ")}`,
		{
			hint: "Ask for these shards too, or add --prune to drop them.",
		},
	);
}

/** Work left to do cannot be done with a codec that is not here any more. */
function requireCodec(shards: ShardPlan[], settings: Settings, codec: string): void {
	if (settings.codec === null || settings.codec === codec) return;
	if (shards.every(({ action }) => action !== "process")) return;
	throw new LakeError("SETTINGS_DIFFER", `the lake was re-encoded by ${settings.codec}; this release has ${codec}`, {
		hint: "Add --new-settings to encode every shard anew.",
	});
}

/** Of receipts that no snapshot may name, those that vacuum has not marked: what is marked counts as absent. */
export async function unmarkedReceipts(store: Store, paths: string[]): Promise<Map<string, Receipt>> {
	const present = await receiptsOf(store, paths);
	const found = new Set([...present.values()].map(({ shard, work_id }) => receiptPath(shard, work_id)));
	const marked = await markedReceipts(store, [...found]);
	for (const [id, { shard }] of present) if (marked.has(receiptPath(shard, id))) present.delete(id);
	return present;
}

/** Receipts at the paths, by work id; those that are not there are left out. */
export async function receiptsOf(store: Store, paths: string[]): Promise<Map<string, Receipt>> {
	const found = await Promise.all(paths.map((path) => readReceipt(store, path)));
	return new Map(found.flatMap((receipt) => (receipt ? [[receipt.work_id, receipt]] : [])));
}

/** `committed_at` of each commit that the base's shards were read at, from the snapshots that recorded them. */
export async function commitDatesOf(
	store: Store,
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

/** The metadata of each split, and what the predicate chooses of it. One that was not asked for and cannot be had is left out. */
export async function readMetadata(
	splits: Split[],
	listing: Listing,
	settings: Settings,
	tools: MetadataTools,
	signal: AbortSignal,
	asked: Set<Split>,
): Promise<Map<Split, SplitMetadata>> {
	const { where, where_mode } = settings;
	const predicate = where === null ? null : await tools.openPredicate(where);
	const found = new Map<Split, SplitMetadata>();
	try {
		for (const split of splits) {
			const file = listing.metadata.get(split);
			if (!file) continue;
			try {
				const described = { split, path: file.path, ...(await fetchMetadata(file, tools, signal)) };
				const selecting = predicate && new Selecting(predicate, where_mode);
				found.set(split, await readSplitMetadata(tools.tables, tools.dataset, described, selecting));
			} catch (error) {
				if (asked.has(split) || signal.aborted) throw error;
			}
		}
	} finally {
		await predicate?.close();
	}
	return found;
}

/** The metadata file on this machine: in place, or kept in scratch under its hash. */
async function fetchMetadata(
	file: SourceFile,
	tools: MetadataTools,
	signal: AbortSignal,
): Promise<{ file: string; sha256: string; bytes: number }> {
	const { source, scratch, clock } = tools;
	const local = source.localPath(file);
	if (local !== null) {
		return { file: local, sha256: file.sha256 ?? (await hashFile(local, { signal })), bytes: file.bytes };
	}
	const folder = join(scratch, "metadata");
	if (file.sha256 !== null) {
		const kept = join(folder, `${file.sha256}.parquet`);
		const found = await hashFile(kept, { signal }).catch(() => null);
		if (found === file.sha256) return { file: kept, sha256: found, bytes: file.bytes };
	}
	const { retry, onRetry } = tools;
	const part = await download(source, file, {
		...{ scratch, clock, signal, retry, mismatch: "METADATA_MISSING" },
		onBytes: () => {},
		...(onRetry ? { onRetry } : {}),
	});
	tools.onFetched(part.fetched);
	await mkdir(folder, { recursive: true });
	const kept = join(folder, `${part.sha256}.parquet`);
	await rename(part.path, kept);
	return { file: kept, sha256: part.sha256, bytes: part.bytes };
}
