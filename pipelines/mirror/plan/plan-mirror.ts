import { LakeError } from "../../../schemas/errors.js";
import type { Snapshot } from "../../../schemas/records.js";
import type { RequestedSettings, Settings } from "../../../schemas/settings.js";
import type { Dataset } from "../../dataset.js";
import { commitDatesOf } from "../../lake/commit-dates.js";
import { receiptFile } from "../../lake/paths.js";
import { readReceipts, unmarkedReceipts } from "../../lake/receipt.js";
import { readLatestSnapshot } from "../../lake/snapshot.js";
import type { Listing } from "../../ports/source.js";
import type { Reader } from "../../ports/store.js";
import { splitsOf } from "../../splits.js";
import { type LakeState, openWorks, planShards, type ShardPlan } from "./decide.js";
import type { SplitMetadata } from "./metadata.js";
import { remoteShards } from "./plan-fetch.js";
import { type MetadataTools, readMetadata } from "./read-metadata.js";
import { chooseSettings } from "./settings.js";
import { knownRows, requireListed, type ShardWork, shardWorks, type WantedWork } from "./shard-work.js";
import { unkeptShards } from "./unkept.js";

/** What a mirror has to do. */
export interface MirrorRequest {
	/** Shards in the dataset's order. */
	wanted: string[];
	settings: RequestedSettings;
	newSettings: boolean;
	prune: boolean;
	keepRejected: boolean;
	/** Name and version of this release's encoder; called only if images are re-encoded. */
	codec(): Promise<string>;
}

/** What a plan is made with. */
export interface PlanTools extends MetadataTools {
	store: Reader;
}

/** A plan, with everything it was made from. */
export interface MirrorPlan {
	listing: Listing;
	settings: Settings;
	/** The newest snapshot at the time of planning. */
	base: Snapshot | null;
	shards: ShardPlan[];
	/** Empty when the lake's own records show that there is nothing to do. */
	metadata: Map<string, SplitMetadata>;
	/** Whether a run would change nothing in the lake. */
	upToDate: boolean;
}

/** Lists the source, reads metadata and receipts, and plans. Writes to scratch only. */
export async function planMirror(request: MirrorRequest, tools: PlanTools, signal: AbortSignal): Promise<MirrorPlan> {
	const { dataset, store } = tools;
	const { wanted } = request;
	const base = (await readLatestSnapshot(store))?.snapshot ?? null;
	requireSameDataset(dataset, base);
	const image = request.settings.image ?? base?.settings.image ?? "passthrough";
	const codec = image === "passthrough" ? "" : await request.codec();
	const settings = chooseSettings(request.settings, base?.settings ?? null, codec, request.newSettings);
	requireCovered(request, settings, base);
	const splits = splitsOf(dataset, wanted);
	const present = splitsOf(dataset, [...wanted, ...(base?.shards.map(({ shard }) => shard) ?? [])]);
	const listing = await tools.source.list({ shards: wanted, splits: present }, signal);
	requireListed(listing, wanted, splits, dataset);

	const receipts = await readReceipts(store, base?.shards.map(({ receipt }) => receipt) ?? []);
	const lake = { listing, base, receipts, commitDates: await commitDatesOf(store, base, listing) };
	const wantedWork = { dataset, wanted, listing, settings };
	const done = await worksIfDone(request, wantedWork, lake, tools);
	const metadata: MirrorPlan["metadata"] = done
		? new Map()
		: await readMetadata({ listing, settings, splits: present, asked: splits }, tools, signal);
	const works =
		done ?? shardWorks(wantedWork, new Map([...metadata.values()].flatMap((split) => [...split.rowsSha256])));
	const paths = openWorks(works, lake).map(({ shard, workId }) => receiptFile.path(shard, workId));
	for (const [id, receipt] of await unmarkedReceipts(store, paths)) receipts.set(id, receipt);
	const unkept = done ? new Set<string>() : await findUnkept(request, works, lake, tools);
	const selections = new Map([...metadata.values()].flatMap((split) => [...(split.selections ?? [])]));
	const remote = remoteShards(tools.source, listing);
	const shards = planShards({ ...lake, works, settings, selections, remote, unkept });
	requireCodec(shards, settings, codec);
	return { listing, settings, base, shards, metadata, upToDate: isUpToDate(shards, request, base) };
}

/** The work if the lake's own records show that it is all done, so that metadata need not be read; else null. */
async function worksIfDone(
	request: MirrorRequest,
	wantedWork: WantedWork,
	lake: LakeState,
	tools: PlanTools,
): Promise<ShardWork[] | null> {
	const rowsSha256 = knownRows(lake.base, lake.receipts, wantedWork.listing, wantedWork.wanted);
	if (rowsSha256 === null || dropsShards(request, lake.base)) return null;
	const works = shardWorks(wantedWork, rowsSha256);
	if (openWorks(works, lake).length > 0) return null;
	return (await findUnkept(request, works, lake, tools)).size === 0 ? works : null;
}

async function findUnkept(
	{ keepRejected }: MirrorRequest,
	works: ShardWork[],
	{ receipts }: LakeState,
	tools: PlanTools,
): Promise<Set<string>> {
	if (!keepRejected) return new Set();
	const done = works.flatMap(({ workId }) => receipts.get(workId) ?? []);
	return unkeptShards(done, tools);
}

function dropsShards({ wanted, prune }: MirrorRequest, base: Snapshot | null): boolean {
	return prune && (base?.shards.some(({ shard }) => !wanted.includes(shard)) ?? false);
}

function isUpToDate(shards: ShardPlan[], request: MirrorRequest, base: Snapshot | null): boolean {
	return (
		!dropsShards(request, base) && shards.every(({ action, reason }) => action === "keep" || reason === "up to date")
	);
}

/** One lake, one dataset: tables of two would not fit together. */
function requireSameDataset({ name }: Dataset, base: Snapshot | null): void {
	if (base === null || base.dataset === name) return;
	throw new LakeError("LAKE_UNSUPPORTED", `The lake holds the dataset ${base.dataset}, not ${name}.`, {
		hint: "Give --lake a folder of its own for each dataset.",
	});
}

/** A lake has one set of settings, so new ones must apply to all of its shards. */
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
		`--new-settings must cover every published shard; left out: ${left.join(", ")}.`,
		{ hint: "Ask for these shards too, or add --prune to drop them." },
	);
}

/** Throws SETTINGS_DIFFER if there is work left that needs another encoder than this release's. */
function requireCodec(shards: ShardPlan[], settings: Settings, codec: string): void {
	if (settings.codec === null || settings.codec === codec) return;
	if (shards.every(({ action }) => action !== "process")) return;
	throw new LakeError("SETTINGS_DIFFER", `The lake was re-encoded by ${settings.codec}; this release has ${codec}.`, {
		hint: "Add --new-settings to encode every shard anew.",
	});
}
