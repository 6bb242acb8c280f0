import { rollback as rollBack } from "../../../pipelines/lake/rollback.js";
import { readLatestSnapshot } from "../../../pipelines/lake/snapshot.js";
import { claimTools } from "../../../pipelines/mirror/publish-run.js";
import { LakeError } from "../../../schemas/errors.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import { Session, type SessionOptions } from "../../session.js";

/** `irlake rollback N`: a new snapshot with the content of snapshot N. */
export async function rollback(context: CommandContext<SessionOptions>, argument: string): Promise<CommandResult> {
	const { options, signal, say } = context;
	if (!/^[1-9]\d{0,8}$/.test(argument)) {
		throw new LakeError("USAGE", `A rollback needs a snapshot's number, not ${JSON.stringify(argument)}.`);
	}
	await using session = await Session.open(context);
	const { store, dataset, clock } = session;
	if (!(await readLatestSnapshot(store))) throw new LakeError("LAKE_NOT_FOUND", `There is no lake in ${options.lake}.`);
	const tools = { tables: await session.tables(), scratch: await session.scratch(), clock };
	const published = await rollBack(store, dataset, Number(argument), await claimTools(tools, signal));
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
