import type { SourceFormat } from "../../../schemas/stored-format.js";
import type { Member } from "../../ports/archive.js";
import type { ImageResult, ImageTask } from "../../ports/images.js";
import type { CheckedImages, CheckedRow } from "./verdict.js";

/** A member that is to be read, and how. */
interface MemberTask {
	member: Member;
	task: ImageTask;
}

interface CheckTools {
	/** Where the verdict on an image comes from. */
	judge(task: ImageTask, signal: AbortSignal): Promise<ImageResult>;
	onImage(): void;
}

/**
 * What is to be read of a shard's members. Images that a well-placed row names are checked whole, and staged where the row
 * is good so far; all others are only hashed, for the quarantine. With a predicate, those that an unselected row names,
 * and those that no row names, are not read at all.
 */
export function memberTasks(
	members: Member[],
	rows: CheckedRow[],
	format: SourceFormat,
	selective: boolean,
): MemberTask[] {
	/** File names of well-placed rows, and whether one of them is good so far. */
	const wanted = new Map<string, boolean>();
	for (const row of rows) {
		if (!row.row || !row.placed || row.fileName === null) continue;
		const good = !row.findings.some(({ severity }) => severity === "reject");
		wanted.set(row.fileName, good || (wanted.get(row.fileName) ?? false));
	}
	const read = selective ? members.filter(isRead(rows)) : members;
	return read.map((member) => {
		const keep = wanted.get(member.name);
		const check = keep === undefined ? "hash" : "image";
		return { member, task: { ref: member.ref, check, format, keep: keep ?? false } };
	});
}

function isRead(rows: CheckedRow[]): (member: Member) => boolean {
	const named = new Set(rows.map(({ fileName }) => fileName));
	for (const { fileName, unselected } of rows) if (unselected) named.delete(fileName);
	return ({ name }) => named.has(name.slice(name.lastIndexOf("/") + 1));
}

/** Reads the members once, on all cores. */
export async function checkImages(
	members: Member[],
	tasks: MemberTask[],
	signal: AbortSignal,
	tools: CheckTools,
): Promise<CheckedImages> {
	const results = new Map<string, ImageResult>();
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	// All at once: the pool takes them in turn, so that one shard's come before the next one's, which downloads meanwhile.
	const runs = tasks.map(async ({ member, task }) => {
		results.set(member.name, await tools.judge(task, stop));
		tools.onImage();
	});
	try {
		await Promise.all(runs);
	} catch (error) {
		failed.abort(error);
		await Promise.allSettled(runs);
		throw error;
	}
	return { members, results };
}
