import { LakeError } from "../../../schemas/errors.js";
import { pause } from "../../abortable.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { QueueOptions } from "../../command-line/options.js";
import { FleetWatch, fleetDocument, sayFleet } from "../../fleet/fleet-status.js";
import { Interrupted } from "../../interrupt.js";
import { Session, type SessionOptions } from "../../session.js";
import { lakeDocument, lakeLines, readLakeFacts } from "./lake-status.js";

type Options = SessionOptions & QueueOptions & { watch: boolean };

const WATCH_MS = 2000;
/** Cursor to the top, screen cleared. */
const CLEAR = `${String.fromCharCode(27)}[H${String.fromCharCode(27)}[2J`;

/** `irlake status`: the lake's snapshots, counts and missing shards; the queue's runs, shards and workers. */
export async function status(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, say, signal } = context;
	if (options.watch && context.json) throw new LakeError("USAGE", "--watch cannot stand beside --json.");
	const watch = new FleetWatch(context);
	try {
		for (;;) {
			const [lake, fleet] = await Promise.all([readLake(context), watch.read()]);
			if (options.watch && process.stdout.isTTY) process.stdout.write(CLEAR);
			for (const line of lake.lines) say(line);
			sayFleet(fleet, say);
			if (!options.watch) return { exit: 0, document: { ...lake.document, ...fleetDocument(fleet) } };
			await pause(WATCH_MS, signal);
		}
	} catch (error) {
		// Ctrl-C is how one stops watching.
		if (!(error instanceof Interrupted && options.watch)) throw error;
		return { exit: 0, document: {} };
	} finally {
		await watch.close();
	}
}

interface LakeStatus {
	lines: string[];
	document: Record<string, unknown>;
}

async function readLake(context: CommandContext<Options>): Promise<LakeStatus> {
	const { lake } = context.options;
	await using session = await Session.open(context);
	const facts = await readLakeFacts(session.store, session.dataset);
	if (facts) return { lines: lakeLines(lake, facts), document: { lake: lakeDocument(lake, facts) } };
	const document = { lake: { path: lake, exists: false, latest: null, snapshots: [], missing: [] } };
	return { lines: [`${lake}: no lake here yet`], document };
}
