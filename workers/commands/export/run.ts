import { exportFiles } from "../../../pipelines/export/files.js";
import { runExport } from "../../../pipelines/export/run-export.js";
import { exportWebDataset } from "../../../pipelines/export/webdataset.js";
import { chooseShards, chooseSnapshot } from "../../../pipelines/lake/choose-snapshot.js";
import { tableFile } from "../../../pipelines/lake/paths.js";
import type { StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import type { Exported, ExportJob } from "../../../pipelines/ports/exports.js";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import { allShards } from "../../../pipelines/shards.js";
import { aboutCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import type { ExportKey, ExportRecord } from "../../../schemas/export.js";
import type { Snapshot } from "../../../schemas/records.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import { didYouMean, orList } from "../../command-line/nearest.js";
import type { WantedOptions } from "../../command-line/options.js";
import { exportNames } from "../../dataset-help.js";
import { wantedShards } from "../../options.js";
import { countedText, sizeText } from "../../report/format.js";
import { openProgress } from "../../report/progress.js";
import { Session, type SessionOptions } from "../../session.js";
import { openTarget } from "../../wire.js";

interface Options extends SessionOptions, WantedOptions {
	out: string | undefined;
	/** A number, a path in the lake, or `latest`. */
	snapshot: string;
	pairs: "rows" | "embed";
	/** Bytes. */
	shard_size: number;
	overwrite: boolean;
}

/** `irlake export FORMAT`: a snapshot, written for other tools. */
export async function exportLake(context: CommandContext<Options>, format: string): Promise<CommandResult> {
	const { options, signal, say } = context;
	if (options.out === undefined) throw new LakeError("USAGE", "--out is missing: say where the export goes.");
	await using session = await Session.open(context);
	const { store, dataset } = session;
	const wanted = wantedShards(dataset, options, allShards(dataset));
	const scratch = await session.scratch();
	const target = await openTarget(options, options.out, context);
	const chosen = await chooseSnapshot(store, options.snapshot);
	const shards = chooseShards(dataset, chosen, wanted, options.shards !== undefined);
	const { options: formatOptions, write } = requireFormat(format, context, session, chosen.snapshot);
	const snapshot = { number: chosen.snapshot.number, path: chosen.path, sha256: chosen.sha256 };
	const progress = openProgress(context, context.drawn, 1);
	progress.shardStarted(format, 0);
	progress.imagesFound(format, imagesOf(chosen, shards));
	try {
		const { state, record } = await runExport(
			{
				dataset,
				store,
				tables: await session.tables(),
				target,
				work: await workFolder(scratch, "export"),
				onImages: (count) => {
					for (let image = 0; image < count; image++) progress.imageDone(format);
				},
			},
			{
				snapshot: chosen.snapshot,
				key: { export: format, snapshot, shards, options: formatOptions },
				overwrite: options.overwrite,
				write,
			},
			signal,
		);
		progress.close();
		for (const line of exportedLines(options.out, state, record)) say(line);
		const { counts, files, image_files } = record;
		const { path, number } = snapshot;
		const out = target.name;
		const document = { state, export: format, out, snapshot: path, number, shards, counts, files, image_files };
		return { exit: 0, document };
	} finally {
		progress.close();
	}
}

function exportedLines(out: string, state: string, record: ExportRecord): string[] {
	const { counts, files, image_files, snapshot } = record;
	const bytes = files.reduce((sum, file) => sum + file.bytes, image_files.bytes);
	const what = `${record.export} of snapshot ${snapshot.number}: ${countedText(counts.images, "image")}`;
	return [
		`${out}: ${state === "exported" ? "exported" : "up to date,"} ${what}`,
		`${countedText(files.length + image_files.count, "file")} (${sizeText(bytes)})`,
	];
}

/** How a format is written. */
interface Format {
	/** Of the options, those that the format's files depend on. */
	options: ExportKey["options"];
	write(job: ExportJob): Promise<Exported>;
}

const CORE_FORMATS = ["webdataset", "files"] as const;

/** Throws USAGE for a format that the dataset cannot be written in. */
function requireFormat(text: string, context: CommandContext<Options>, session: Session, snapshot: Snapshot): Format {
	const { options } = context;
	const { dataset } = session;
	const asked = { pairs: options.pairs, subset: options.subset };
	const own = dataset.exports[text];
	if (own) {
		const write = async (job: ExportJob) => own.write(job, await session.exportFiles(), { snapshot, asked });
		return { options: own.options(asked), write };
	}
	const core: Record<(typeof CORE_FORMATS)[number], Format> = {
		webdataset: {
			options: { shard_size: options.shard_size },
			write: (job) => exportWebDataset(job, dataset.group, options.shard_size),
		},
		files: { options: {}, write: async (job) => exportFiles(job, await session.exportFiles(), dataset) },
	};
	const known = CORE_FORMATS.find((one) => one === text);
	if (known) return core[known];
	const names = exportNames(dataset);
	throw new LakeError("USAGE", `${dataset.title} has no export ${JSON.stringify(text)}: give ${orList(names)}.`, {
		hint: `${didYouMean(text, names)}${aboutCode("USAGE").todo}`,
	});
}

function imagesOf({ snapshot }: StoredSnapshot, shards: string[]): number {
	const own = snapshot.tables.images?.files.filter(({ path }) => shards.includes(tableFile.parse(path)?.shard ?? ""));
	return (own ?? []).reduce((sum, { rows }) => sum + rows, 0);
}
