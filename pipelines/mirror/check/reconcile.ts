import { LakeError } from "../../../schemas/errors.js";
import type { Settings } from "../../../schemas/settings.js";
import type { ImageResult } from "../../ports/images.js";
import { nullsFirst } from "../../text.js";
import { finding, rowFinding } from "./finding.js";
import type { CheckedImages, CheckedRow, CheckedRows, Finding, GoodRow, Verdict } from "./verdict.js";

/** Brings rows and images together. Pure; throws nothing. */
export function reconcile(checked: CheckedRows, images: CheckedImages, settings: Settings): Verdict {
	const findings = [...checked.findings];
	addImageFindings(checked.rows, images);
	const rejected = new Set<CheckedRow>(checked.rows.filter(isRejected));
	const defective = rejected.size;
	const unselected = checked.rows.filter((row) => row.unselected).length;
	if (settings.on_bad_image === "drop-group") dropGroups(checked.rows, rejected);

	const good: GoodRow[] = [];
	const present = new Set(images.members.map(({ name }) => name));
	for (const row of checked.rows) {
		const member = row.fileName === null ? undefined : images.results.get(row.fileName);
		for (const one of row.findings) findings.push(describeMember(one, member, present));
		const published = rejected.has(row) || row.unselected ? null : goodRow(row, member);
		if (published) good.push(published);
	}
	const members = countMembers(checked.rows, good, images);
	findings.push(...members.orphans);
	const left = settings.where === null ? {} : { rows_unselected: unselected, members_unselected: members.unselected };
	return {
		good,
		findings: findings.sort(inQuarantineOrder),
		rows: checked.rows.flatMap(({ row }) => (row ? [row] : [])),
		counts: {
			rows_in: checked.rows.length,
			rows_published: good.length,
			rows_rejected: rejected.size,
			members_in: images.members.length,
			members_published: good.length,
			members_rejected: images.members.length - good.length - members.orphans.length - members.unselected,
			orphans: members.orphans.length,
			...left,
		},
		defective,
	};
}

/**
 * REJECT_RATIO_EXCEEDED, or null if the shard has few enough bad rows.
 * @param defective rejected rows, without those dropped only because of their group
 * @param rows all rows of the shard, selected or not
 */
export function judgeRatio(shard: string, defective: number, rows: number, maximum: number): LakeError | null {
	const ratio = rows === 0 ? 0 : defective / rows;
	if (ratio <= maximum) return null;
	const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;
	return new LakeError(
		"REJECT_RATIO_EXCEEDED",
		`${shard}: ${defective} of ${rows} rows were rejected (${percent(ratio)}), more than ${percent(maximum)}`,
		{ path: shard },
	);
}

function isRejected(row: CheckedRow): boolean {
	return row.findings.some(({ severity }) => severity === "reject");
}

/** Adds an image's findings to the first row that names it; other rows of it are duplicates and rejected anyway. */
function addImageFindings(rows: CheckedRow[], images: CheckedImages): void {
	const seen = new Set<string>();
	for (const row of rows) {
		if (!row.row || !row.placed || row.fileName === null || seen.has(row.fileName)) continue;
		seen.add(row.fileName);
		if (row.unselected) continue;
		const result = images.results.get(row.fileName);
		if (!result) {
			row.findings.push(rowFinding("IMAGE_MISSING", "the shard has no member of this name", row, { member: null }));
			continue;
		}
		for (const one of [...(result.reject ? [result.reject] : []), ...result.warnings]) {
			row.findings.push(rowFinding(one.code, one.detail, row));
		}
	}
}

/** GROUP_DROPPED: the good rows of each group that lost a row or an image. A repeated row does not drop its group. */
function dropGroups(rows: CheckedRow[], rejected: Set<CheckedRow>): void {
	const dropped = new Set<string>();
	for (const row of rejected) {
		if (row.group !== null && !row.repeats) dropped.add(row.group);
	}
	for (const row of rows) {
		if (rejected.has(row) || row.unselected || row.group === null || !dropped.has(row.group)) continue;
		row.findings.push(rowFinding("GROUP_DROPPED", "another row of its prompt was rejected", row));
		rejected.add(row);
	}
}

function describeMember(one: Finding, member: ImageResult | undefined, present: Set<string>): Finding {
	if (!member) return { ...one, member: one.member !== null && present.has(one.member) ? one.member : null };
	return { ...one, bytes: member.bytes, sha256: member.sha256 };
}

function goodRow(checked: CheckedRow, result: ImageResult | undefined): GoodRow | null {
	const { row, fileName, place, findings } = checked;
	if (!row || fileName === null || !result?.image) return null;
	const { sha256, bytes, crc32, image } = result;
	if (sha256 === null || bytes === null || crc32 === null) return null;
	const warnings = findings.map(({ code }) => code as string).sort();
	const id = fileName.slice(0, fileName.lastIndexOf("."));
	return { id, place, row, member: fileName, image, source: { sha256, bytes, crc32 }, warnings };
}

/** IMAGE_ORPHAN for each member that no row names, and the number of members that an unselected row names. */
function countMembers(
	rows: CheckedRow[],
	good: GoodRow[],
	images: CheckedImages,
): { orphans: Finding[]; unselected: number } {
	const named = new Set(rows.map(({ fileName }) => fileName));
	const left = new Set(rows.flatMap(({ unselected, fileName }) => (unselected ? fileName : [])));
	const published = new Set(good.map(({ member }) => member));
	const orphans: Finding[] = [];
	let unselected = 0;
	for (const { name, ref } of images.members) {
		const fileName = name.slice(name.lastIndexOf("/") + 1);
		if (left.has(fileName)) unselected++;
		if (published.has(name) || named.has(fileName)) continue;
		const result = images.results.get(name);
		// For a member that was not read, the size is the directory's.
		const bytes = result ? result.bytes : ref.bytes;
		const about = { member: name, bytes, sha256: result?.sha256 ?? null };
		orphans.push(finding("IMAGE_ORPHAN", "no row of the JSON names this file", about));
	}
	return { orphans, unselected };
}

/** Order by code, image path, group, member and place in the JSON, nulls first. */
function inQuarantineOrder(a: Finding, b: Finding): number {
	return (
		nullsFirst(a.code, b.code) ||
		nullsFirst(a.image_path, b.image_path) ||
		nullsFirst(a.group, b.group) ||
		nullsFirst(a.member, b.member) ||
		(a.place ?? -1) - (b.place ?? -1) ||
		nullsFirst(a.detail, b.detail)
	);
}
