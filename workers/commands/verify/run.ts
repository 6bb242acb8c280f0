import { join } from "node:path";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import { createMender } from "../../../pipelines/verify/mend.js";
import type { Report } from "../../../pipelines/verify/report.js";
import { type Mender, verifyLake } from "../../../pipelines/verify/verify.js";
import { LakeError } from "../../../schemas/errors.js";
import { parseSource } from "../../addresses.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import { countedText, countText, sizeText, wrapText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import { Session, type SessionOptions } from "../../session.js";
import { archives, codecVersion, openPredicate, retryPolicy } from "../../wire.js";

type Options = SessionOptions & { deep: boolean; repair: boolean };

/** How many problems a person is shown; all of them stand in the document. */
const SHOWN = 20;

/** `irlake verify`: audits a lake against its own records, and with `--repair` makes good what it can. */
export async function verify(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, signal } = context;
	if (options.repair && options.source !== undefined) parseSource(options.source);
	await using session = await Session.open(context);
	const work = await workFolder(await session.scratch(), "verify");
	const progress = openProgress(context, context.drawn, 1);
	try {
		// Where `--source` does not exist or refuses access, that is told before the audit begins.
		if (options.repair && options.source !== undefined) {
			await (await session.source()).list({ shards: [], splits: [] }, signal);
		}
		const staged = join(work, "staged");
		const tools = {
			dataset: session.dataset,
			store: session.store,
			tables: await session.tables(),
			images: options.deep ? await session.images(staged) : null,
			work,
			onObjects: (count: number) => {
				progress.shardStarted("objects", 0);
				progress.imagesFound("objects", count);
			},
			onObject: () => progress.imageDone("objects"),
		};
		const mender = options.repair ? await openMender(context, session, { work, staged }, progress) : null;
		const report = await verifyLake(tools, signal, mender);
		progress.close();
		if (!report) {
			throw new LakeError("LAKE_NOT_FOUND", `There is no lake in ${options.lake}.`, { path: options.lake });
		}
		sayReport(context, report, progress.fetchedBytes);
		const { checked, problems, repaired } = report;
		const ok = problems.length === 0;
		return { exit: ok ? 0 : 4, document: { ok, checked, problems, repaired } };
	} finally {
		progress.close();
	}
}

/** @param folders the run's own, which the audit removes, and the one in it where images are staged */
async function openMender(
	{ options, signal }: CommandContext<Options>,
	session: Session,
	folders: { work: string; staged: string },
	progress: RunProgress,
): Promise<Mender> {
	const { dataset, store, clock } = session;
	return createMender(
		{
			dataset,
			store,
			tables: await session.tables(),
			archives,
			progress,
			clock,
			retry: retryPolicy(options),
			scratch: await session.scratch(),
			work: folders.work,
			staged: folders.staged,
			images: () => session.images(folders.staged),
			codec: codecVersion,
			openPredicate,
			sourceOf: (uri, commit) => session.source(options.source ?? atCommit(uri, commit)),
		},
		signal,
	);
}

/** A snapshot's source at the commit where it had the shard. A folder has no commits. */
function atCommit(uri: string, commit: string | null): string {
	return commit === null || parseSource(uri).kind === "folder" ? uri : `${uri.replace(/@[^@]*$/, "")}@${commit}`;
}

function sayReport({ options, say }: CommandContext<Options>, report: Report, fetched: number): void {
	const { checked, problems, repaired } = report;
	const left = problems.length === 0 ? "all is as recorded" : countedText(problems.length, "problem");
	say(`${options.lake}: ${left}${repaired.length > 0 ? `, ${countText(repaired.length)} repaired` : ""}`);
	say(
		`looked at ${countedText(checked.snapshots, "snapshot")}, ${countedText(checked.receipts, "receipt")}, ` +
			`${countedText(checked.files, "file")}, ${countedText(checked.objects, "object")} (${sizeText(checked.bytes)})`,
	);
	if (checked.zips_unchecked > 0)
		say(`the SHA-256 of ${countedText(checked.zips_unchecked, "zip")} was never checked: only parts were fetched`);
	if (options.deep) say(`decoded ${countedText(checked.decoded, "image")} again`);
	if (fetched > 0) say(`fetched ${sizeText(fetched)}`);
	for (const { code, path } of repaired.slice(0, SHOWN)) say(`  repaired  ${code}  ${path}`);
	if (repaired.length > SHOWN) say(`  … and ${countText(repaired.length - SHOWN)} more repaired`);
	for (const { code, path, detail } of problems.slice(0, SHOWN)) {
		say(`  ${code}  ${path}`);
		for (const line of wrapText(detail, 76)) say(`    ${line}`);
	}
	if (problems.length > SHOWN) say(`  … and ${countText(problems.length - SHOWN)} more: see them all with --json`);
	if (options.repair) return;
	if (report.damaged.size > 0) say("irlake verify --repair fetches damaged objects and tables again");
	if (problems.some(({ path }) => path.startsWith("rejected/")))
		say("delete what is damaged in rejected/; mirror --keep-rejected brings it again");
}
