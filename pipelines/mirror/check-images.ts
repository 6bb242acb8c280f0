import type { Settings } from "../../schemas/settings.js";
import type { Archive, ImagePool, ImageResult, ImageTask, Member } from "../ports.js";
import type { CheckedImages, CheckedRow } from "./types.js";

/**
 * Reads every member of the shard once, on all cores. Images that a well-placed row names are checked
 * whole, and staged where the row is good so far; all other members are only hashed, for the quarantine.
 */
export async function checkImages(
	archive: Archive,
	rows: CheckedRow[],
	pool: ImagePool,
	settings: Settings,
	signal: AbortSignal,
	onImage: () => void,
): Promise<CheckedImages> {
	const results = new Map<string, ImageResult>();
	const tasks = imageTasks(archive.members, rows);
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	const entries = tasks.entries();
	/** Takes task after task; as many of these run at once as the pool is wide. */
	async function work(): Promise<void> {
		for (const [, { name, task }] of entries) {
			stop.throwIfAborted();
			results.set(name, await pool.run(task, settings, stop));
			onImage();
		}
	}
	const workers = Array.from({ length: pool.width }, () => work());
	try {
		await Promise.all(workers);
	} catch (error) {
		failed.abort(error);
		await Promise.allSettled(workers);
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
