import { rollback as rollBack } from "../../../pipelines/lake/rollback.js";
import { readLatestSnapshot } from "../../../pipelines/lake/snapshot.js";
import { claimTools } from "../../../pipelines/mirror/publish-run.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { lazyTables, requireScratch } from "../../preflight.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import { openStore } from "../../wire.js";

/** `irlake rollback N`: a new snapshot with the content of snapshot N. */
export async function rollback(
	{ options, env, log, signal, say }: CommandContext,
	argument: string,
): Promise<CommandResult> {
	if (!/^[1-9]\d{0,8}$/.test(argument)) {
		throw new LakeError("USAGE", `rollback needs a snapshot's number, not ${JSON.stringify(argument)}`);
	}
	const store = await openStore(options, {
		signal,
		env,
		note: (level, message, fields) => log[level](fields ?? {}, message),
	});
	if (!(await readLatestSnapshot(store))) throw new LakeError("LAKE_NOT_FOUND", `there is no lake in ${options.lake}`);
	const scratch = await requireScratch(options, env);
	const tables = lazyTables(scratch);
	const published = await rollBack(
		store,
		Number(argument),
		await claimTools({ tables, scratch, clock: systemClock }, signal),
	).finally(() => tables.close());
	const newest = published ?? (await readLatestSnapshot(store));
	const state = published ? "published" : "up_to_date";
	const number = newest?.snapshot.number ?? null;
	if (published) say(`published snapshot ${number}: it has the content of snapshot ${argument}`);
	else say(`up to date: snapshot ${number} has the content of snapshot ${argument} already`);
	return {
		exit: 0,
		document: { state, snapshot: newest?.path ?? null, number, counts: newest?.snapshot.counts ?? null },
	};
}
