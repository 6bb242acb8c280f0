import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Dataset } from "../dataset.js";
import { metadataPath } from "../splits.js";
import type { SourceSurvey, Wanted } from "./source.js";

/**
 * Surveys a downloaded copy without reading its content: hashing 23 GB is the mirror's work. Like the mirror, it takes a
 * shard's zip, else its unpacked folder. Throws SOURCE_NOT_FOUND if the folder does not exist.
 */
export async function surveyFolder(
	folder: string,
	dataset: Dataset,
	wanted: Wanted,
	signal: AbortSignal,
): Promise<SourceSurvey> {
	await requireFolder(folder);
	const survey: SourceSurvey = { where: folder, shards: new Map(), splits: new Set(), unreadable: [] };
	const sizeOf = async (path: string): Promise<number | null> => {
		signal.throwIfAborted();
		const bytes = await bytesOf(join(folder, path));
		if (bytes === "unreadable") survey.unreadable.push(path);
		return bytes === "unreadable" ? 0 : bytes;
	};
	for (const split of wanted.splits) {
		if ((await sizeOf(metadataPath(dataset, split))) !== null) survey.splits.add(split);
	}
	for (const shard of wanted.shards) {
		const bytes = (await sizeOf(dataset.layout.zipPath(shard))) ?? (await sizeOf(dataset.layout.folderPath(shard)));
		if (bytes !== null) survey.shards.set(shard, bytes);
	}
	return survey;
}

async function requireFolder(folder: string): Promise<void> {
	try {
		await readdir(folder);
	} catch (cause) {
		const why = { ENOENT: "does not exist", ENOTDIR: "is not a folder" }[systemCode(cause) ?? ""] ?? "cannot be read";
		throw new LakeError("SOURCE_NOT_FOUND", `The source folder ${folder} ${why}.`, { path: folder, cause });
	}
}

/** Bytes of a file, or of all files in a folder; null if there is nothing. */
async function bytesOf(path: string): Promise<number | "unreadable" | null> {
	try {
		const about = await stat(path);
		await access(path, about.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
		if (!about.isDirectory()) return about.size;
		const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((one) => !one.isDirectory());
		const sizes = await Promise.all(files.map(({ parentPath, name }) => stat(join(parentPath, name))));
		return sizes.reduce((sum, { size }) => sum + size, 0);
	} catch (error) {
		const code = systemCode(error);
		return code === "ENOENT" || code === "ENOTDIR" ? null : "unreadable";
	}
}
