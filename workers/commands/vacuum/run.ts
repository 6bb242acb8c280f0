import { KINDS } from "../../../pipelines/lake/kinds.js";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import { planVacuum, runVacuum, type Tally, type VacuumReport } from "../../../pipelines/vacuum/vacuum.js";
import { LakeError } from "../../../schemas/errors.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import { countText, durationText, sizeText, tableText, wrapText } from "../../report/format.js";
import { openProgress } from "../../report/progress.js";
import { Session, type SessionOptions } from "../../session.js";

interface Options extends SessionOptions {
	/** Snapshots that are kept: so many of the newest, and those of so many days. */
	keep: number;
	keep_days: number;
	/** Seconds. */
	grace: number;
	yes: boolean;
}

const DAY = 86400;
/** Below this, a mirror under way may have its work deleted, and has to do it again. */
const SHORT_GRACE = 3600;
const COLUMNS = 80;

/** `irlake vacuum`: marks what no retained snapshot needs, and deletes what was marked a grace time ago. */
export async function vacuum(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, log, signal } = context;
	await using session = await Session.open(context);
	const { store, clock } = session;
	const scratch = await session.scratch();
	if (options.yes) session.atEnd(() => store.dropStaged());
	const { grace } = options;
	if (options.yes && grace < SHORT_GRACE) {
		log.warn(
			`a grace time of ${durationText(grace)}: readers of older snapshots, and mirrors under way, may lose files`,
		);
	}
	const retention = { keep: options.keep, keepYounger: options.keep_days * DAY * 1000, grace: grace * 1000 };
	const progress = openProgress(context, context.drawn, 1);
	const tools = {
		store,
		tables: await session.tables(),
		work: await workFolder(scratch, "vacuum"),
		clock,
		signal,
		onSweep: (files: number) => {
			progress.shardStarted("files", 0);
			progress.imagesFound("files", files);
		},
		onDeleted: (files: number) => {
			for (let at = 0; at < files; at++) progress.imageDone("files");
		},
	};
	try {
		const report = options.yes ? await runVacuum(tools, retention) : await planVacuum(tools, retention, Date.now());
		progress.close();
		if (!report) throw new LakeError("LAKE_NOT_FOUND", `There is no lake in ${options.lake}.`, { path: options.lake });
		if (report.unfinished > 0)
			log.warn("another vacuum is deleting, or died less than ten minutes ago: run again later");
		tell(context, report, grace);
		return { exit: 0, document: documentOf(report, options.yes, grace) };
	} finally {
		progress.close();
	}
}

function filesOf(tally: Tally): number {
	return KINDS.reduce((sum, kind) => sum + tally[kind].files, 0);
}

function modeOf({ deleted, marked, waiting }: VacuumReport, yes: boolean): string {
	if (!yes) return "dry_run";
	if (filesOf(deleted) > 0) return "swept";
	if (filesOf(marked) > 0) return "marked";
	return filesOf(waiting) > 0 ? "waiting" : "clean";
}

function documentOf(report: VacuumReport, yes: boolean, grace: number): Record<string, unknown> {
	const { kept, givenUp, deleted, marked, waiting, due, unfinished } = report;
	const when = due?.toISOString() ?? null;
	return {
		mode: modeOf(report, yes),
		kept,
		given_up: givenUp,
		deleted,
		marked,
		waiting,
		due: when,
		unfinished,
		grace_seconds: grace,
	};
}

/** `1–3, 7` */
function rangesText(numbers: number[]): string {
	const ranges: [number, number][] = [];
	for (const number of numbers) {
		const last = ranges.at(-1);
		if (last && last[1] === number - 1) last[1] = number;
		else ranges.push([number, number]);
	}
	return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

function tell({ options, say }: CommandContext<Options>, report: VacuumReport, grace: number): void {
	const { kept, givenUp, deleted, marked, waiting, due } = report;
	const words = options.yes
		? ["deleted", "marked", "marked earlier"]
		: ["would be deleted", "would be marked", "marked earlier"];
	say(`${options.lake}: ${kept.length === 1 ? "snapshot" : "snapshots"} ${rangesText(kept)} kept`);
	if (givenUp.length > 0) say(`Snapshots that lose their files: ${rangesText(givenUp)}`);
	const rows = [deleted, marked, waiting].flatMap((tally, at) =>
		KINDS.filter((kind) => tally[kind].files > 0).map((kind) => [
			`${kind.replace("_", " ")} ${words[at]}`,
			countText(tally[kind].files),
			sizeText(tally[kind].bytes),
		]),
	);
	if (rows.length === 0) {
		say("nothing is left over");
		return;
	}
	say(`\n${tableText([["", "files", "size"], ...rows])}\n`);
	for (const line of wrapText(nextText(options, report, due, grace), COLUMNS)) say(line);
}

/** What to run next, and when. */
function nextText(options: Options, { marked, deleted }: VacuumReport, due: Date | null, grace: number): string {
	if (!options.yes) {
		const delay = `what it marks is deleted by the first vacuum --yes that comes ${durationText(grace)} later`;
		return filesOf(marked) + filesOf(deleted) > 0
			? `Nothing was changed. irlake vacuum --yes does it; ${delay}.`
			: `Nothing was changed. What is marked may be deleted from ${timeText(due)} on, by irlake vacuum --yes.`;
	}
	if (due === null) return "Nothing else is left over.";
	return `What is marked, and still unneeded then, is deleted by irlake vacuum --yes from ${timeText(due)} on.`;
}

function timeText(due: Date | null): string {
	return due ? `${due.toISOString().slice(0, 16).replace("T", " ")} UTC` : "now";
}
