import type { Settings } from "../../schemas/settings.js";
import type { Archive, ImagePool, ImageResult, ImageTask, Member } from "../ports.js";
import type { CheckedImages, CheckedRow } from "./types.js";

export interface ImageTools {
	pool: ImagePool;
	/** The verdict on a task that was run while the zip arrived, or null. */
	early(task: ImageTask): Promise<ImageResult | null>;
	settings: Settings;
}

/**
 * Reads every member of the shard once, on all cores. Images that a well-placed row names are checked
 * whole, and staged where the row is good so far; all other members are only hashed, for the quarantine.
 */
export async function checkImages(
	archive: Archive,
	rows: CheckedRow[],
	{ pool, early, settings }: ImageTools,
	signal: AbortSignal,
	onImage: () => void,
): Promise<CheckedImages> {
	const results = new Map<string, ImageResult>();
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	// All at once: the pool takes them in turn, so that one shard's come before the next one's, which downloads meanwhile.
	const runs = imageTasks(archive.members, rows).map(async ({ name, task }) => {
		results.set(name, (await early(task)) ?? (await pool.run(task, settings, stop)));
		onImage();
	});
	try {
		await Promise.all(runs);
	} catch (error) {
		failed.abort(error);
		await Promise.allSettled(runs);
		throw error;
	}
	return { members: archive.members, results };
}

function imageTasks(members: Member[], rows: CheckedRow[]): { name: string; task: ImageTask }[] {
	/** File names of well-placed rows, and whether one of them is good so far. */
	const wanted = new Map<string, boolean>();
	for (const row of rows) {
		if (!row.row || !row.placed || row.fileName === null) continue;
		const good = !row.findings.some(({ severity }) => severity === "reject");
		wanted.set(row.fileName, good || (wanted.get(row.fileName) ?? false));
	}
	return members.map(({ name, ref }) => {
		const keep = wanted.get(name);
		return { name, task: { ref, check: keep === undefined ? "hash" : "image", keep: keep ?? false } };
	});
}
