import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageRewardDb } from "../../pipelines/datasets/image-reward-db.js";
import type { ShardPlan } from "../../pipelines/mirror/plan.js";
import { planMirror } from "../../pipelines/mirror/plan-mirror.js";
import { systemClock } from "../clock.js";
import { readExpected } from "../expect.js";
import type { CommandContext, CommandResult } from "../run-command.js";
import { freeBytes, lazyTables, requireLake, requirePredicate, requireScratch } from "../surroundings.js";
import { countedText, durationText, sizeText, tableText } from "../text.js";
import { openPredicate, openSource, openStore, retryPolicy } from "../wire.js";
import { mirrorRequest } from "./mirror.js";

/** Images a second that two cores check, at 0.4 MB each; the time of a plan without a better figure. */
const MEASURED_BYTES_PER_SECOND = 80e6;

/** `irlake plan`: what a mirror would do. Leaves nothing behind: what it must read lies in a folder that it removes. */
export async function plan({ options, env, log, signal, say }: CommandContext): Promise<CommandResult> {
	const request = mirrorRequest(options);
	await requirePredicate(options);
	await readExpected(options);
	const note = (level: "info" | "warn", message: string, fields?: Record<string, unknown>): void =>
		log[level](fields ?? {}, message);
	const store = await openStore(options, { signal, note, env });
	await requireLake(store);
	const scratch = await requireScratch(options, env);
	const world = { clock: systemClock, note, dryRun: true };
	const source = await openSource(options, imageRewardDb, scratch, world, env);
	const own = await mkdtemp(join(tmpdir(), "irlake-plan-"));
	const tables = lazyTables(own);
	try {
		const tools = {
			dataset: imageRewardDb,
			source,
			store,
			tables,
			clock: systemClock,
			scratch: own,
			retry: retryPolicy(options),
			onFetched: () => {},
			openPredicate,
		};
		const planned = await planMirror(request, tools, signal);
		const todo = planned.shards.filter(({ action }) => action === "process");
		const bytes = sum(todo, ({ input }) => input.bytes);
		const seconds = sum(todo, ({ fetchBytes }) => fetchBytes) / MEASURED_BYTES_PER_SECOND;
		const free = { scratch: await freeBytes(scratch), lake: store.kind === "s3" ? null : await freeBytes(store.name) };
		say(`source  ${planned.listing.uri}${planned.listing.commit ? ` at ${planned.listing.commit.slice(0, 12)}` : ""}`);
		say(`lake    ${options.lake}${planned.base ? `, snapshot ${planned.base.number}` : ", new"}\n`);
		if (planned.settings.where !== null) say(`where   ${planned.settings.where} (by ${planned.settings.where_mode})\n`);
		say(tableText(shardTable(planned.shards)));
		say("");
		if (planned.upToDate) say("up to date: a mirror would change nothing");
		else {
			const shards = `${todo.length} of ${countedText(planned.shards.length, "shard")}`;
			say(`${shards} to do: ${sizeText(bytes)}, about ${durationText(seconds)}`);
			if (planned.settings.where !== null) say(selectiveText(todo));
		}
		const forLake = free.lake === null ? "" : `, ${sizeText(free.lake)} for the lake`;
		say(`free: ${sizeText(free.scratch)} in ${scratch}${forLake}`);
		const document = {
			up_to_date: planned.upToDate,
			source: { uri: planned.listing.uri, commit: planned.listing.commit, committed_at: planned.listing.committedAt },
			base: planned.base?.number ?? null,
			settings: planned.settings,
			shards: planned.shards.map((one) => ({
				shard: one.shard,
				action: one.action,
				reason: one.reason,
				work_id: one.workId,
				bytes: one.input.bytes,
				...selectiveFields(one),
			})),
			bytes,
			...(planned.settings.where === null ? {} : selectiveSums(todo)),
			seconds: Math.round(seconds),
			free_bytes: free,
		};
		return { exit: 0, document };
	} finally {
		await tables.close();
		await source.close();
		await rm(own, { recursive: true, force: true });
	}
}

function sum(shards: ShardPlan[], of: (shard: ShardPlan) => number): number {
	return shards.reduce((total, shard) => total + of(shard), 0);
}

/** Of a selective mirror: images chosen, and what comes over the network, or is read of a local copy, about. */
function selectiveSums(shards: ShardPlan[]) {
	const fetched = sum(shards, ({ fetchBytes }) => fetchBytes);
	return {
		images: sum(shards, ({ selection }) => selection?.images ?? 0),
		images_chosen: sum(shards, ({ selection }) => selection?.chosen ?? 0),
		bytes_to_fetch: fetched,
		bytes_saved: sum(shards, ({ input }) => input.bytes) - fetched,
	};
}

function selectiveFields(shard: ShardPlan) {
	return shard.selection ? { ...selectiveSums([shard]), ranged: shard.selection.ranged } : {};
}

function selectiveText(todo: ShardPlan[]): string {
	const { images, images_chosen, bytes_to_fetch, bytes_saved } = selectiveSums(todo);
	const parts = todo.filter(({ selection }) => selection?.ranged).length;
	return (
		`${images_chosen} of ${countedText(images, "image")} chosen: about ${sizeText(bytes_to_fetch)} to fetch, ` +
		`${sizeText(bytes_saved)} saved; of ${countedText(parts, "shard")} only parts`
	);
}

function shardTable(shards: ShardPlan[]): (string | number)[][] {
	const selective = shards.some(({ selection }) => selection !== null);
	const head = ["shard", "action", "size", ...(selective ? ["chosen", "to fetch"] : []), "why"];
	const rows = shards.map(({ shard, action, reason, input, selection, fetchBytes }) => {
		const chosen = selection ? `${selection.chosen}/${selection.images}` : "-";
		const fetched = action === "process" ? sizeText(fetchBytes) : "-";
		return [shard, action, sizeText(input.bytes), ...(selective ? [chosen, fetched] : []), reason];
	});
	return [head, ...rows];
}
