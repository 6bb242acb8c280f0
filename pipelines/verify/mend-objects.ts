import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Snapshot } from "../../schemas/records.js";
import { DEFAULT_SETTINGS, type Settings } from "../../schemas/settings.js";
import { inputSha256 } from "../lake/receipt.js";
import { openMembers, type ShardMembers } from "../mirror/content/members.js";
import type { MemberRef } from "../ports/archive.js";
import type { ImageResult } from "../ports/images.js";
import type { ShardInput } from "../ports/source.js";
import { shardFiles } from "../shards.js";
import type { ObjectRow } from "./check-object.js";
import type { MendTools } from "./mend-tools.js";
import { type ImageOrigin, imageOrigins, type ShardOrigin, soundReceipt } from "./origins.js";
import type { OnOutcome } from "./verify.js";

/** Images fetched, judged and stored at once: as many as a kill can lose. */
const BATCH = 200;

interface Wanted {
	row: ObjectRow;
	origin: ImageOrigin;
}

/** A shard at its source. */
interface OpenShard {
	members: ShardMembers;
	/** Addition to messages if the source has changed, else "". */
	other: string;
}

/** Makes objects again from their original images: from the first origin that still gives the recorded bytes. */
export async function mendObjects(
	damaged: ObjectRow[],
	snapshots: Snapshot[],
	tools: MendTools,
	onOutcome: OnOutcome,
): Promise<void> {
	if (damaged.length === 0) return;
	const keys = new Set(damaged.map(({ object_key }) => object_key));
	const origins = await imageOrigins(keys, snapshots, tools, tools.signal);
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
			await mendShard(wanted, tools, async ({ row }, why) => {
				if (why === null) left.delete(row.object_key);
				else left.set(row.object_key, { row, why });
				if (why === null) await onOutcome(row.object_key, null);
			});
		}
	}
	for (const [key, { why }] of left) await onOutcome(key, why);
}

type OnResult = (wanted: Wanted, why: string | null) => Promise<void>;

/** A failure of the shard is reported for each of its objects; other shards go on. */
async function mendShard(all: Wanted[], tools: MendTools, onResult: OnResult): Promise<void> {
	const wanted: Wanted[] = [];
	for (const one of all) {
		const why = await otherCodec(one, tools);
		if (why === null) wanted.push(one);
		else await onResult(one, why);
	}
	const [first] = wanted;
	if (!first) return;
	const open = new Set(wanted);
	let shard: OpenShard | null = null;
	try {
		shard = await openShard(first.origin, tools);
		for (let at = 0; at < wanted.length; at += BATCH) {
			tools.signal.throwIfAborted();
			await mendBatch(wanted.slice(at, at + BATCH), shard, tools, async (one, why) => {
				open.delete(one);
				await onResult(one, why);
			});
		}
	} catch (error) {
		tools.signal.throwIfAborted();
		if (!(error instanceof LakeError)) throw error;
		for (const one of open)
			await onResult(one, `${first.origin.shard}: ${error.message} (${error.code}: ${error.hint})`);
	} finally {
		await shard?.members.release();
	}
}

/** Why this release's encoders cannot give the recorded bytes; null for originals, and if the encoders are the same. */
async function otherCodec({ row, origin }: Wanted, { codec }: MendTools): Promise<string | null> {
	const { codec: made } = origin.settings;
	if (row.sha256 === row.source_sha256 || made === null) return null;
	const own = await codec();
	if (own === made) return null;
	const todo = "repair it with the release that made it, or encode every shard anew with mirror --new-settings";
	return `the lake was re-encoded by ${made}, this release has ${own}: ${todo}`;
}

async function openShard(origin: ImageOrigin, tools: MendTools): Promise<OpenShard> {
	const source = await tools.sourceOf(origin.uri, origin.commit);
	const { shard } = origin;
	const listing = await source.list({ shards: [shard], splits: [] }, tools.signal);
	const input = listing.shards.get(shard);
	if (!input) throw new LakeError("SHARD_MISSING", `${source.name} lacks ${shard}`);
	const members = await openMembers(input, shardFiles(tools.dataset, shard), { ...tools, source }, tools.signal);
	return { members, other: await otherInput(origin, input, tools) };
}

/** Says if the source's zip has changed since the shard was made; an image in it may be the same nonetheless. */
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
	onResult: OnResult,
): Promise<void> {
	const refs = await members.bring(wanted.map(({ origin }) => basename(origin.image_path)));
	const pool = await tools.images();
	const judge: JudgeAgain = ({ origin, row }, ref) => {
		const task = { ref, check: "image", format: tools.dataset.layout.format(origin.shard), keep: true } as const;
		return members.judge(ref, () => pool.run(task, settingsOf(row, origin.settings), tools.signal));
	};
	const results = await Promise.allSettled(
		wanted.map(async (one) => {
			const ref = refs.get(basename(one.origin.image_path));
			const why = ref ? await remake(one, ref, judge, tools) : "the source's shard lacks its image";
			await onResult(one, why === null ? null : `${why}${other}`);
		}),
	);
	for (const result of results) if (result.status === "rejected") throw result.reason;
}

type JudgeAgain = (wanted: Wanted, ref: MemberRef) => Promise<ImageResult>;

/** Reads, checks and stores one image again. Returns null, or why it was not stored. */
async function remake(
	wanted: Wanted,
	ref: MemberRef,
	judge: JudgeAgain,
	{ store, staged }: MendTools,
): Promise<string | null> {
	const { row, origin } = wanted;
	const result = await judge(wanted, ref);
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

/** An object with the original bytes is not re-encoded. */
function settingsOf(row: ObjectRow, settings: Settings): Settings {
	const { verify } = settings;
	return row.sha256 === row.source_sha256 ? { ...DEFAULT_SETTINGS, verify } : settings;
}
