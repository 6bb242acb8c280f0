import { LakeError } from "../../../schemas/errors.js";
import type { Snapshot } from "../../../schemas/records.js";
import type { AskedSettings, Settings } from "../../../schemas/settings.js";
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
import { type Asked, knownRows, requireListed, type ShardWork, shardWorks } from "./shard-work.js";
import { unkeptShards } from "./unkept.js";

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

/** What a plan is made with. */
export interface PlanTools extends MetadataTools {
	store: Reader;
}

/** A plan with everything it was made from. */
export interface MirrorPlan {
	listing: Listing;
	settings: Settings;
	/** The snapshot it was planned on, as `latest.json` names it. */
	base: Snapshot | null;
	shards: ShardPlan[];
	/** Empty when nothing is to be done and the lake's own records told so. */
	metadata: Map<string, SplitMetadata>;
	/** Whether a run would change nothing. */
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
	const asked = { dataset, wanted, listing, settings };
	const done = await worksIfDone(request, asked, lake, tools);
	const metadata: MirrorPlan["metadata"] = done
		? new Map()
		: await readMetadata({ listing, settings, splits: present, asked: splits }, tools, signal);
	const works = done ?? shardWorks(asked, new Map([...metadata.values()].flatMap((split) => [...split.rowsSha256])));
	const paths = openWorks(works, lake).map(({ shard, workId }) => receiptFile.path(shard, workId));
	for (const [id, receipt] of await unmarkedReceipts(store, paths)) receipts.set(id, receipt);
	const unkept = done ? new Set<string>() : await findUnkept(request, works, lake, tools);
	const selections = new Map([...metadata.values()].flatMap((split) => [...(split.selections ?? [])]));
	const remote = remoteShards(tools.source, listing);
	const shards = planShards({ ...lake, works, settings, selections, remote, unkept });
	requireCodec(shards, settings, codec);
	return { listing, settings, base, shards, metadata, upToDate: isUpToDate(shards, request, base) };
}

/** The work where the lake's own records tell that all of it is done, and the metadata need not be read; else null. */
async function worksIfDone(
	request: MirrorRequest,
	asked: Asked,
	lake: LakeState,
	tools: PlanTools,
): Promise<ShardWork[] | null> {
	const rowsSha256 = knownRows(lake.base, lake.receipts, asked.listing, asked.wanted);
	if (rowsSha256 === null || dropsShards(request, lake.base)) return null;
	const works = shardWorks(asked, rowsSha256);
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
		`--new-settings must cover every published shard; left out: ${left.join(", ")}.`,
		{ hint: "Ask for these shards too, or add --prune to drop them." },
	);
}

/** Work left to do cannot be done with a codec that is not here any more. */
function requireCodec(shards: ShardPlan[], settings: Settings, codec: string): void {
	if (settings.codec === null || settings.codec === codec) return;
	if (shards.every(({ action }) => action !== "process")) return;
	throw new LakeError("SETTINGS_DIFFER", `The lake was re-encoded by ${settings.codec}; this release has ${codec}.`, {
		hint: "Add --new-settings to encode every shard anew.",
	});
}
