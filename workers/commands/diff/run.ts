import { type Diff, reversed } from "../../../pipelines/diff/diff.js";
import { type DiffTools, diffSnapshots } from "../../../pipelines/diff/diff-snapshots.js";
import { diffSource } from "../../../pipelines/diff/diff-source.js";
import { chooseSnapshot } from "../../../pipelines/lake/choose-snapshot.js";
import type { StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import { LakeError } from "../../../schemas/errors.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { WantedOptions } from "../../command-line/options.js";
import { wantedShards } from "../../options.js";
import { diffText } from "../../report/diff-text.js";
import { openProgress } from "../../report/progress.js";
import { Session, type SessionOptions } from "../../session.js";
import { archives } from "../../wire.js";

type Options = SessionOptions & WantedOptions & { limit: number };

const SOURCE = "source";

/** `irlake diff A B`: what differs between two snapshots, or a snapshot and the source. Leaves nothing behind. */
export async function diff(context: CommandContext<Options>, before: string, after: string): Promise<CommandResult> {
	const { options, signal, say } = context;
	if (before === SOURCE && after === SOURCE) throw new LakeError("USAGE", "One of the two must be a snapshot.");
	await using session = await Session.open(context, { leavesNothing: true });
	const { store, dataset } = session;
	const named = [before, after].filter((name) => name !== SOURCE);
	const [first, second] = await Promise.all(named.map((name) => chooseSnapshot(store, name, "a snapshot")));
	if (!first) throw new LakeError("INTERNAL", "No snapshot was named.");
	const progress = openProgress(context, context.drawn, 1);
	const tools: DiffTools = {
		dataset,
		store,
		tables: await session.tables(),
		work: await session.work(),
		limit: options.limit || Number.POSITIVE_INFINITY,
		onShards: (count) => {
			progress.shardStarted("shards", 0);
			progress.imagesFound("shards", count);
		},
		onShard: () => progress.imageDone("shards"),
	};
	try {
		const found = second
			? await diffSnapshots(first, second, tools, signal)
			: await againstSource(context, session, first, tools);
		const told = before === SOURCE ? reversed(found) : found;
		progress.close();
		say(diffText(told, options.lake));
		return { exit: told.equal ? 0 : 4, document: { ...told } };
	} finally {
		progress.close();
	}
}

async function againstSource(
	{ options, signal }: CommandContext<Options>,
	session: Session,
	snapshot: StoredSnapshot,
	tools: DiffTools,
): Promise<Diff> {
	const wanted = wantedShards(session.dataset, options);
	return diffSource(snapshot, wanted, { ...(await session.planTools()), ...tools, archives }, signal);
}
