import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageRewardDb } from "../../pipelines/datasets/image-reward-db.js";
import { planMirror } from "../../pipelines/mirror/plan-mirror.js";
import { systemClock } from "../clock.js";
import { readExpected } from "../expect.js";
import type { CommandContext, CommandResult } from "../run-command.js";
import { freeBytes, lazyTables, requireLake, requireScratch } from "../surroundings.js";
import { countedText, durationText, sizeText, tableText } from "../text.js";
import { openSource, openStore, retryPolicy } from "../wire.js";
import { mirrorRequest } from "./mirror.js";

/** Images a second that two cores check, at 0.4 MB each; the time of a plan without a better figure. */
const MEASURED_BYTES_PER_SECOND = 80e6;

/** `irlake plan`: what a mirror would do. Leaves nothing behind: what it must read lies in a folder that it removes. */
export async function plan({ options, env, log, signal, say }: CommandContext): Promise<CommandResult> {
	const request = mirrorRequest(options);
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
		};
		const planned = await planMirror(request, tools, signal);
		const todo = planned.shards.filter(({ action }) => action === "process");
		const bytes = todo.reduce((sum, { input }) => sum + input.bytes, 0);
		const seconds = bytes / MEASURED_BYTES_PER_SECOND;
		const free = { scratch: await freeBytes(scratch), lake: store.kind === "s3" ? null : await freeBytes(store.name) };
		say(`source  ${planned.listing.uri}${planned.listing.commit ? ` at ${planned.listing.commit.slice(0, 12)}` : ""}`);
		say(`lake    ${options.lake}${planned.base ? `, snapshot ${planned.base.number}` : ", new"}\n`);
		const rows = planned.shards.map(({ shard, action, reason, input }) => [
			shard,
			action,
			sizeText(input.bytes),
			reason,
		]);
		say(tableText([["shard", "action", "size", "why"], ...rows]));
		say("");
		if (planned.upToDate) say("up to date: a mirror would change nothing");
		else {
			const shards = `${todo.length} of ${countedText(planned.shards.length, "shard")}`;
			say(`${shards} to do: ${sizeText(bytes)}, about ${durationText(seconds)}`);
		}
		const forLake = free.lake === null ? "" : `, ${sizeText(free.lake)} for the lake`;
		say(`free: ${sizeText(free.scratch)} in ${scratch}${forLake}`);
		const document = {
			up_to_date: planned.upToDate,
			source: { uri: planned.listing.uri, commit: planned.listing.commit, committed_at: planned.listing.committedAt },
			base: planned.base?.number ?? null,
			settings: planned.settings,
			shards: planned.shards.map(({ shard, action, reason, workId, input }) => ({
				shard,
				action,
				reason,
				work_id: workId,
				bytes: input.bytes,
			})),
			bytes,
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
