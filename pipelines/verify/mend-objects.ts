import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Snapshot } from "../../schemas/records.js";
import { DEFAULT_SETTINGS, type Settings } from "../../schemas/settings.js";
import { shardFiles } from "../dataset.js";
import { inputSha256 } from "../lake/receipt.js";
import { openMembers, type ShardMembers } from "../mirror/content/members.js";
import type { MemberRef } from "../ports/archive.js";
import type { ImagePool } from "../ports/images.js";
import type { ShardInput } from "../ports/source.js";
import type { ObjectRow } from "./check-object.js";
import type { MendTools } from "./mend-tools.js";
import { type ImageOrigin, imageOrigins, type ShardOrigin, soundReceipt } from "./origins.js";
import type { Ended } from "./verify.js";

/** Images fetched, judged and stored at once: what a kill can lose. */
const BATCH = 200;

interface Wanted {
	row: ObjectRow;
	origin: ImageOrigin;
}

/** One shard at its source, and why an image of it may not be what it was. */
interface OpenShard {
	members: ShardMembers;
	other: string;
}

/** Objects, made again from the images that they were made of: the first origin that still gives the very bytes. */
export async function mendObjects(
	damaged: ObjectRow[],
	snapshots: Snapshot[],
	tools: MendTools,
	ended: Ended,
	signal: AbortSignal,
): Promise<void> {
	if (damaged.length === 0) return;
	const keys = new Set(damaged.map(({ object_key }) => object_key));
	const origins = await imageOrigins(keys, snapshots, tools, signal);
	const left = new Map(damaged.map((row) => [row.object_key, { row, why: "no table that can be read names it" }]));
	for (let round = 0; left.size > 0; round++) {
		const shards = new Map<string, Wanted[]>();
		for (const { row } of left.values()) {
			const origin = origins.get(row.object_key)?.[round];
			if (!origin) continue;
			const place = `${origin.uri} ${origin.commit} ${origin.shard}`;
			shards.set(place, [...(shards.get(place) ?? []), { row, origin }]);
		}
		if (shards.size === 0) break;
		for (const wanted of shards.values()) {
			await mendShard(wanted, tools, signal, async ({ row }, why) => {
				if (why === null) left.delete(row.object_key);
				else left.set(row.object_key, { row, why });
				if (why === null) await ended(row.object_key, null);
			});
		}
	}
	for (const [key, { why }] of left) await ended(key, why);
}

type Told = (wanted: Wanted, why: string | null) => Promise<void>;

/** What fails for the whole shard is told of each of its objects; the others go on. */
async function mendShard(all: Wanted[], tools: MendTools, signal: AbortSignal, told: Told): Promise<void> {
	const wanted: Wanted[] = [];
	for (const one of all) {
		const why = await otherCodec(one, tools);
		if (why === null) wanted.push(one);
		else await told(one, why);
	}
	const [first] = wanted;
	if (!first) return;
	const open = new Set(wanted);
	let shard: OpenShard | null = null;
	try {
		shard = await openShard(first.origin, tools, signal);
		for (let at = 0; at < wanted.length; at += BATCH) {
			signal.throwIfAborted();
			await mendBatch(wanted.slice(at, at + BATCH), shard, tools, signal, async (one, why) => {
				open.delete(one);
				await told(one, why);
			});
		}
	} catch (error) {
		signal.throwIfAborted();
		if (!(error instanceof LakeError)) throw error;
		for (const one of open) await told(one, `${first.origin.shard}: ${error.message} (${error.code}: ${error.hint})`);
	} finally {
		await shard?.members.release();
	}
}

/** Another codec gives other bytes; what was kept as it was needs none. */
async function otherCodec({ row, origin }: Wanted, { codec }: MendTools): Promise<string | null> {
	const { codec: made } = origin.settings;
	if (row.sha256 === row.source_sha256 || made === null) return null;
	const own = await codec();
	if (own === made) return null;
	const todo = "repair it with the release that made it, or encode every shard anew with mirror --new-settings";
	return `the lake was re-encoded by ${made}, this release has ${own}: ${todo}`;
}

async function openShard(origin: ImageOrigin, tools: MendTools, signal: AbortSignal): Promise<OpenShard> {
	const source = await tools.sourceOf(origin.uri, origin.commit);
	const { shard } = origin;
	const listing = await source.list({ shards: [shard], splits: [] }, signal);
	const input = listing.shards.get(shard);
	if (!input) throw new LakeError("SHARD_MISSING", `${source.name} lacks ${shard}`);
	const members = await openMembers(input, shardFiles(tools.dataset, shard), { ...tools, source }, signal);
	return { members, other: await otherInput(origin, input, tools) };
}

/** Says so where the source has another zip than the shard was made of: a picture in it may be the same all the same. */
async function otherInput(origin: ShardOrigin, input: ShardInput, { store }: MendTools): Promise<string> {
	const receipt = await soundReceipt(store, origin.receipt);
	if (!receipt || inputSha256(receipt) === input.sha256) return "";
	if ((receipt.inputs.zip_sha256 === null) !== (input.form === "unpacked")) return "";
	return `; the source's ${origin.shard} is not the one that the lake was made of (SHA-256 ${input.sha256})`;
}

async function mendBatch(
	wanted: Wanted[],
	{ members, other }: OpenShard,
	tools: MendTools,
	signal: AbortSignal,
	told: Told,
): Promise<void> {
	const refs = await members.bring(wanted.map(({ origin }) => basename(origin.image_path)));
	const pool = await tools.images();
	const ends = await Promise.allSettled(
		wanted.map(async (one) => {
			const ref = refs.get(basename(one.origin.image_path));
			const why = ref ? await remake(one, ref, members, pool, tools, signal) : "the source's shard lacks its image";
			await told(one, why === null ? null : `${why}${other}`);
		}),
	);
	for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** Reads, checks and stores one image again; null, or why its bytes may not go in. */
async function remake(
	{ row, origin }: Wanted,
	ref: MemberRef,
	members: ShardMembers,
	pool: ImagePool,
	{ store, staged, dataset }: MendTools,
	signal: AbortSignal,
): Promise<string | null> {
	const settings = settingsOf(row, origin.settings);
	const task = { ref, check: "image", format: dataset.layout.format(origin.shard), keep: true } as const;
	const result = await members.judge(ref, () => pool.run(task, settings, signal));
	if (result.reject) return `its image at the source: ${result.reject.detail} (${result.reject.code})`;
	if (result.sha256 !== origin.source_sha256) {
		return `its image at the source has the SHA-256 ${result.sha256}, not ${origin.source_sha256}`;
	}
	if (result.image?.object_key !== row.object_key) {
		return `made again, it is ${result.image?.object_key}: another release encoded it`;
	}
	const local = join(staged, basename(row.object_key));
	await store.overwrite(row.object_key, local);
	await rm(local, { force: true });
	return null;
}

/** An object that is the original is not encoded anew. */
function settingsOf(row: ObjectRow, settings: Settings): Settings {
	const { verify } = settings;
	return row.sha256 === row.source_sha256 ? { ...DEFAULT_SETTINGS, verify } : settings;
}
