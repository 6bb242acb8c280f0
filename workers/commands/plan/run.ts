import type { ShardPlan } from "../../../pipelines/mirror/plan/decide.js";
import { type MirrorPlan, planMirror } from "../../../pipelines/mirror/plan/plan-mirror.js";
import { diskOf } from "../../../pipelines/scratch/disk.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { MirrorOptions, NetworkOptions } from "../../command-line/options.js";
import { readExpected } from "../../expect.js";
import { requirePredicate } from "../../preflight.js";
import { countedText, countText, durationText, sizeText, tableText } from "../../report/format.js";
import { mirrorRequest } from "../../run/mirror-steps.js";
import { Session } from "../../session.js";

/** Images a second that two cores check, at 0.4 MB each; the time of a plan without a better figure. */
const MEASURED_BYTES_PER_SECOND = 80e6;

type Options = MirrorOptions & NetworkOptions & { expect: string | undefined };

/** `irlake plan`: what a mirror would do. Leaves nothing behind. */
export async function plan(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, signal, say } = context;
	await using session = await Session.open(context, { leavesNothing: true });
	const { store } = session;
	const request = mirrorRequest(options, session.dataset);
	await requirePredicate(options, session.dataset);
	await readExpected(options, session.dataset);
	await store.requireLake();
	const scratch = await session.scratch();
	const planned = await planMirror(request, await session.planTools(), signal);
	const free = { scratch: (await diskOf(scratch)).free, lake: await store.freeBytes() };
	sayPlan(planned, options.lake, say);
	const forLake = free.lake === null ? "" : `, ${sizeText(free.lake)} for the lake`;
	say(`free: ${sizeText(free.scratch)} in ${scratch}${forLake}`);
	return { exit: 0, document: { ...planDocument(planned), free_bytes: free } };
}

/** What is to be done: sizes of the zips, and seconds for what comes of them. */
function workOf({ shards }: MirrorPlan): { todo: ShardPlan[]; bytes: number; seconds: number } {
	const todo = shards.filter(({ action }) => action === "process");
	const bytes = sum(todo, ({ input }) => input.bytes);
	return { todo, bytes, seconds: sum(todo, ({ fetchBytes }) => fetchBytes) / MEASURED_BYTES_PER_SECOND };
}

function sayPlan(planned: MirrorPlan, lake: string, say: CommandContext["say"]): void {
	const { listing, base, settings, shards, upToDate } = planned;
	const { todo, bytes, seconds } = workOf(planned);
	say(`source  ${listing.uri}${listing.commit ? ` at ${listing.commit.slice(0, 12)}` : ""}`);
	say(`lake    ${lake}${base ? `, snapshot ${base.number}` : ", new"}\n`);
	if (settings.where !== null) say(`where   ${settings.where} (by ${settings.where_mode})\n`);
	say(tableText(shardTable(shards)));
	say("");
	if (upToDate) {
		say("up to date: a mirror would change nothing");
		return;
	}
	const of = `${todo.length} of ${countedText(shards.length, "shard")}`;
	say(`${of} to do: ${sizeText(bytes)}, about ${durationText(seconds)}`);
	if (settings.where !== null) say(selectiveText(todo));
}

function planDocument(planned: MirrorPlan) {
	const { listing, base, settings, shards, upToDate } = planned;
	const { todo, bytes, seconds } = workOf(planned);
	return {
		up_to_date: upToDate,
		source: { uri: listing.uri, commit: listing.commit, committed_at: listing.committedAt },
		base: base?.number ?? null,
		settings,
		shards: shards.map((one) => ({
			shard: one.shard,
			action: one.action,
			reason: one.reason,
			work_id: one.workId,
			bytes: one.input.bytes,
			...selectiveFields(one),
		})),
		bytes,
		...(settings.where === null ? {} : selectiveSums(todo)),
		seconds: Math.round(seconds),
	};
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
	const chosen = `${countText(images_chosen)} of ${countedText(images, "image")} chosen`;
	if (parts === 0) return `${chosen}; every zip is read whole`;
	const saved = `about ${sizeText(bytes_to_fetch)} to read, ${sizeText(bytes_saved)} saved`;
	return `${chosen}: ${saved}; of ${countedText(parts, "shard")} only parts`;
}

function shardTable(shards: ShardPlan[]): (string | number)[][] {
	const selective = shards.some(({ selection }) => selection !== null);
	const head = ["shard", "action", "size", ...(selective ? ["chosen", "to read"] : []), "why"];
	const rows = shards.map(({ shard, action, reason, input, selection, fetchBytes }) => {
		const chosen = selection ? `${selection.chosen}/${selection.images}` : "-";
		const fetched = action === "process" ? sizeText(fetchBytes) : "-";
		return [shard, action, sizeText(input.bytes), ...(selective ? [chosen, fetched] : []), reason];
	});
	return [head, ...rows];
}
