import type { Dataset } from "../../../pipelines/dataset.js";
import { exportHf } from "../../../pipelines/datasets/imagereward-db/exports/hf.js";
import { exportImageReward } from "../../../pipelines/datasets/imagereward-db/exports/imagereward.js";
import { exportFiles } from "../../../pipelines/export/files.js";
import type { Exported, ExportJob } from "../../../pipelines/export/job.js";
import { runExport } from "../../../pipelines/export/run-export.js";
import { exportWebDataset } from "../../../pipelines/export/webdataset.js";
import { chooseShards, chooseSnapshot } from "../../../pipelines/lake/choose-snapshot.js";
import type { StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import { aboutCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import { EXPORT_FORMATS, type ExportFormat, type ExportKey } from "../../../schemas/export.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import { didYouMean, orList } from "../../command-line/nearest.js";
import type { WantedOptions } from "../../command-line/options.js";
import { defaultSubset } from "../../dataset-help.js";
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
export async function exportLake(context: CommandContext<Options>, argument: string): Promise<CommandResult> {
	const { options, signal, say } = context;
	const format = requireFormat(argument);
	if (options.out === undefined) throw new LakeError("USAGE", "--out is missing: say where the export goes.");
	await using session = await Session.open(context);
	const { store, dataset } = session;
	const wanted = wantedShards(dataset, options);
	const scratch = await session.scratch();
	const target = await openTarget(options, options.out, context);
	const chosen = await chooseSnapshot(store, options.snapshot);
	const shards = chooseShards(dataset, chosen, wanted, options.shards !== undefined);
	const progress = openProgress(context, context.drawn, 1);
	progress.shardStarted(format, 0);
	progress.imagesFound(format, imagesOf(chosen, shards));
	try {
		const { state, record } = await runExport(
			{
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
				key: keyOf(format, chosen, shards, options, dataset),
				overwrite: options.overwrite,
				write: (job) => write(format, job, session, options, chosen),
			},
			signal,
		);
		progress.close();
		const { counts, image_files } = record;
		const bytes = record.files.reduce((sum, file) => sum + file.bytes, image_files.bytes);
		const what = `${format} of snapshot ${chosen.snapshot.number}: ${countedText(counts.images, "image")}`;
		say(`${options.out}: ${state === "exported" ? "exported" : "up to date,"} ${what}`);
		say(`${countedText(record.files.length + image_files.count, "file")} (${sizeText(bytes)})`);
		return {
			exit: 0,
			document: {
				state,
				export: format,
				out: target.name,
				snapshot: chosen.path,
				number: chosen.snapshot.number,
				shards,
				counts,
				files: record.files,
				image_files,
			},
		};
	} finally {
		progress.close();
	}
}

function requireFormat(text: string): ExportFormat {
	const format = EXPORT_FORMATS.find((one) => one === text);
	if (format) return format;
	throw new LakeError("USAGE", `export knows no format ${JSON.stringify(text)}: give ${orList(EXPORT_FORMATS)}.`, {
		hint: `${didYouMean(text, EXPORT_FORMATS)}${aboutCode("USAGE").todo}`,
	});
}

function imagesOf({ snapshot }: StoredSnapshot, shards: string[]): number {
	const folders = shards.map((shard) => `tables/images/split=${shard.replace(/_(\d+)$/, "/shard=$1/")}`);
	const own = snapshot.tables.images?.files.filter(({ path }) => folders.some((folder) => path.startsWith(folder)));
	return (own ?? []).reduce((sum, { rows }) => sum + rows, 0);
}

/** Of the options, those that the format's files depend on. */
function keyOf(
	format: ExportFormat,
	{ snapshot, path, sha256 }: StoredSnapshot,
	shards: string[],
	options: Options,
	dataset: Dataset,
): ExportKey {
	const own: ExportKey["options"] = {};
	if (format === "hf") {
		own.pairs = options.pairs;
		own.sizes = sizesOf(dataset, options).join(",");
	}
	if (format === "webdataset") own.shard_size = options.shard_size;
	return { export: format, snapshot: { number: snapshot.number, path, sha256 }, shards, options: own };
}

/** The sizes up to `--subset`, smallest first: with none given all of them, each with the shards that it has. */
function sizesOf(dataset: Dataset, { subset = defaultSubset(dataset) }: Options): string[] {
	const largest = dataset.subsets[subset] ?? 0;
	return Object.keys(dataset.subsets).filter((size) => (dataset.subsets[size] ?? 0) <= largest);
}

async function write(
	format: ExportFormat,
	job: ExportJob,
	session: Session,
	options: Options,
	{ snapshot }: StoredSnapshot,
): Promise<Exported> {
	const { dataset } = session;
	switch (format) {
		case "hf":
			return exportHf(job, await session.exportFiles(), {
				dataset,
				snapshot,
				pairs: options.pairs,
				sizes: sizesOf(dataset, options),
			});
		case "webdataset":
			return exportWebDataset(job, options.shard_size);
		case "imagereward":
			return exportImageReward(job);
		case "files":
			return exportFiles(job, await session.exportFiles(), dataset);
	}
}
