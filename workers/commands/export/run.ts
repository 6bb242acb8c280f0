import type { Dataset } from "../../../pipelines/dataset.js";
import { exportHf } from "../../../pipelines/datasets/imagereward-db/exports/hf.js";
import { exportImageReward } from "../../../pipelines/datasets/imagereward-db/exports/imagereward.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/layout.js";
import { exportFiles } from "../../../pipelines/export/files.js";
import type { Exported, ExportJob } from "../../../pipelines/export/job.js";
import { runExport } from "../../../pipelines/export/run-export.js";
import { exportWebDataset } from "../../../pipelines/export/webdataset.js";
import { chooseShards, chooseSnapshot } from "../../../pipelines/lake/choose-snapshot.js";
import { tableFile } from "../../../pipelines/lake/paths.js";
import type { StoredSnapshot } from "../../../pipelines/lake/snapshot.js";
import type { ExportFiles } from "../../../pipelines/ports/exports.js";
import { workFolder } from "../../../pipelines/scratch/work-folder.js";
import type { Options } from "../../../schemas/config.js";
import { LakeError } from "../../../schemas/errors.js";
import { EXPORT_FORMATS, type ExportFormat, type ExportKey } from "../../../schemas/export.js";
import { wantedShards } from "../../options.js";
import { lazyTables, requireScratch } from "../../preflight.js";
import { countedText, sizeText } from "../../report/format.js";
import { openProgress } from "../../report/progress.js";
import type { CommandContext, CommandResult } from "../../run-command.js";
import { openExportFiles, openStore, openTarget } from "../../wire.js";

/** `irlake export FORMAT`: a snapshot, written for other tools. */
export async function exportLake(context: CommandContext, argument: string): Promise<CommandResult> {
	const { options, env, note, signal, say } = context;
	const format = requireFormat(argument);
	if (options.out === undefined) throw new LakeError("USAGE", "--out is missing: say where the export goes");
	const wanted = wantedShards(imageRewardDb, options);
	const tools = { signal, note, env };
	const store = await openStore(options, tools);
	const scratch = await requireScratch(options, env);
	const target = await openTarget(options, options.out, tools);
	const chosen = await chooseSnapshot(store, options.snapshot);
	const shards = chooseShards(imageRewardDb, chosen, wanted, options.shards !== undefined);
	const tables = lazyTables(scratch);
	const files = lazyExportFiles(scratch);
	const progress = openProgress(context, context.drawn, 1);
	progress.shardStarted(format, 0);
	progress.imagesFound(format, imagesOf(chosen, shards));
	try {
		const { state, record } = await runExport(
			{
				store,
				tables,
				target,
				work: await workFolder(scratch, "export"),
				onImages: (count) => {
					for (let image = 0; image < count; image++) progress.imageDone(format);
				},
			},
			{
				snapshot: chosen.snapshot,
				key: keyOf(format, chosen, shards, options),
				overwrite: options.overwrite,
				write: (job) => write(format, job, files, options, imageRewardDb, chosen),
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
		await files.close();
		await tables.close();
	}
}

function requireFormat(text: string): ExportFormat {
	const format = EXPORT_FORMATS.find((one) => one === text);
	if (format) return format;
	throw new LakeError("USAGE", `export knows no format ${JSON.stringify(text)}: give ${EXPORT_FORMATS.join(", ")}`);
}

function imagesOf({ snapshot }: StoredSnapshot, shards: string[]): number {
	const own = snapshot.tables.images?.files.filter(({ path }) => shards.includes(tableFile.parse(path)?.shard ?? ""));
	return (own ?? []).reduce((sum, { rows }) => sum + rows, 0);
}

/** Of the options, those that the format's files depend on. */
function keyOf(
	format: ExportFormat,
	{ snapshot, path, sha256 }: StoredSnapshot,
	shards: string[],
	options: Options,
): ExportKey {
	const own: ExportKey["options"] = {};
	if (format === "hf") {
		own.pairs = options.pairs;
		own.sizes = sizesOf(imageRewardDb, options).join(",");
	}
	if (format === "webdataset") own.shard_size = options.shard_size;
	return { export: format, snapshot: { number: snapshot.number, path, sha256 }, shards, options: own };
}

/** The sizes up to `--subset`, smallest first: with none given all of them, each with the shards that it has. */
function sizesOf(dataset: Dataset, { subset = "8k" }: Options): string[] {
	const largest = dataset.subsets[subset] ?? 0;
	return Object.keys(dataset.subsets).filter((size) => (dataset.subsets[size] ?? 0) <= largest);
}

function write(
	format: ExportFormat,
	job: ExportJob,
	files: ExportFiles,
	options: Options,
	dataset: Dataset,
	{ snapshot }: StoredSnapshot,
): Promise<Exported> {
	switch (format) {
		case "hf":
			return exportHf(job, files, { dataset, snapshot, pairs: options.pairs, sizes: sizesOf(dataset, options) });
		case "webdataset":
			return exportWebDataset(job, options.shard_size);
		case "imagereward":
			return exportImageReward(job);
		case "files":
			return exportFiles(job, files, dataset);
	}
}

/** DuckDB, opened when it is first needed. */
function lazyExportFiles(scratch: string): ExportFiles {
	let opened: Promise<ExportFiles> | null = null;
	const get = (): Promise<ExportFiles> => {
		opened ??= openExportFiles(scratch);
		return opened;
	};
	return {
		writePart: async (columns, rows, file) => (await get()).writePart(columns, rows, file),
		join: async (parts, file, metadata) => (await get()).join(parts, file, metadata),
		close: async () => {
			if (opened) await (await opened).close();
		},
	};
}
