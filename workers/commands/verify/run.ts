import { join } from "node:path";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import type { ImagePool } from "../../../pipelines/ports/images.js";
import type { Source } from "../../../pipelines/ports/source.js";
import type { TableFiles } from "../../../pipelines/ports/tables.js";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import { createMender } from "../../../pipelines/verify/mend.js";
import type { Report } from "../../../pipelines/verify/report.js";
import { type Mender, verifyLake } from "../../../pipelines/verify/verify.js";
import { LakeError } from "../../../schemas/errors.js";
import { systemClock } from "../../clock.js";
import { parseSource } from "../../options.js";
import { lazyTables, requireScratch } from "../../preflight.js";
import { countedText, countText, sizeText, wrapText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import {
	archives,
	codecVersion,
	type LakeStore,
	openImages,
	openPredicate,
	openSource,
	openStore,
	retryPolicy,
} from "../../wire.js";

/** How many problems a person is shown; all of them stand in the document. */
const SHOWN = 20;

/** `irlake verify`: audits a lake against its own records, and with `--repair` makes good what it can. */
export async function verify(context: CommandContext): Promise<CommandResult> {
	const { options, given, env, note, signal } = context;
	if (options.repair && given("source")) parseSource(options.source);
	const store = await openStore(options, { signal, note, env });
	const scratch = await requireScratch(options, env);
	const tables = lazyTables(scratch);
	const progress = openProgress(context, context.drawn, 1);
	const work = await workFolder(scratch, "verify");
	const world = new World(context, { store, tables, scratch, work }, progress);
	try {
		if (options.repair && given("source")) await world.requireSource();
		const tools = {
			store,
			tables,
			images: options.deep ? await world.images() : null,
			work,
			onObjects: (count: number) => {
				progress.shardStarted("objects", 0);
				progress.imagesFound("objects", count);
			},
			onObject: () => progress.imageDone("objects"),
		};
		const report = await verifyLake(tools, signal, options.repair ? world.mender() : null);
		progress.close();
		if (!report) {
			throw new LakeError("LAKE_NOT_FOUND", `there is no lake in ${options.lake}`, { path: options.lake });
		}
		sayReport(context, report, progress.fetchedBytes);
		const { checked, problems, repaired } = report;
		const ok = problems.length === 0;
		return { exit: ok ? 0 : 4, document: { ok, checked, problems, repaired } };
	} finally {
		progress.close();
		await world.close();
		await tables.close();
	}
}

/** What an audit with `--deep` or `--repair` needs beside the lake, each opened when it is first wanted. */
class World {
	#images: Promise<ImagePool> | null = null;
	readonly #sources = new Map<string, Promise<Source>>();

	constructor(
		private readonly context: CommandContext,
		private readonly lake: { store: LakeStore; tables: TableFiles; scratch: string; work: string },
		private readonly progress: RunProgress,
	) {}

	images(): Promise<ImagePool> {
		const { progress } = this;
		this.#images ??= openImages(this.#staged, (...told) => progress.note(...told));
		return this.#images;
	}

	mender(): Mender {
		const { options, signal } = this.context;
		return createMender(
			{
				...this.lake,
				...{ dataset: imageRewardDb, archives, progress: this.progress, clock: systemClock },
				retry: retryPolicy(options),
				staged: this.#staged,
				images: () => this.images(),
				codec: codecVersion,
				openPredicate,
				sourceOf: (uri, commit) => this.#source(uri, commit),
			},
			signal,
		);
	}

	/** Throws where `--source` does not exist or refuses access. */
	async requireSource(): Promise<void> {
		const { options, signal } = this.context;
		await (await this.#source(options.source, null)).list({ shards: [], splits: [] }, signal);
	}

	/** `--source`, else the snapshot's own, at the commit where it had the shard. A folder has no commits. */
	#source(uri: string, commit: string | null): Promise<Source> {
		const { options, given, env } = this.context;
		const own = commit === null || parseSource(uri).kind === "folder" ? uri : `${uri.replace(/@[^@]*$/, "")}@${commit}`;
		const source = given("source") ? options.source : own;
		const { progress } = this;
		const world = { clock: systemClock, note: progress.note.bind(progress) };
		const opened = this.#sources.get(source);
		const opening = opened ?? openSource({ ...options, source }, imageRewardDb, this.lake.scratch, world, env);
		this.#sources.set(source, opening);
		return opening;
	}

	/** Inside the run's own folder, which the audit removes. */
	get #staged(): string {
		return join(this.lake.work, "staged");
	}

	async close(): Promise<void> {
		await (await this.#images?.catch(() => null))?.close();
		for (const source of this.#sources.values()) await (await source.catch(() => null))?.close();
	}
}

function sayReport({ options, say }: CommandContext, report: Report, fetched: number): void {
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
