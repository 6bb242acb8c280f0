import { canonicalJson } from "../../../schemas/records.js";
import { RATING_COLUMNS, ROW_COLUMNS, SourceRow } from "../../../schemas/row.js";
import { byCodePoint, shown } from "../../text.js";
import { finding, rowFinding } from "./finding.js";
import type { CheckedRow, CheckedRows, Finding, ShardMetadata } from "./verdict.js";

const UUID_FILE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.webp$/;

/**
 * Holds a shard's rows against their schema, against each other and against the metadata.
 * Reads nothing: the images come later.
 * @param prefix what `image_path` must start with: `images/train/train_1/`
 */
export function checkRows(values: unknown[], prefix: string, metadata: ShardMetadata): CheckedRows {
	const rows = values.map((raw, place) => checkRow(raw, place, prefix));
	markDuplicates(rows);
	for (const row of rows) compareWithMetadata(row, metadata);
	const about = [...unknownColumns(rows, metadata), ...extraRows(rows, metadata), ...prompts(rows, metadata)];
	return { rows, findings: about };
}

/** ROW_SCHEMA, ROW_PATH and RATING_RANGE: what a row says by itself. */
function checkRow(raw: unknown, place: number, prefix: string): CheckedRow {
	const fields = isObject(raw) ? raw : {};
	const imagePath = typeof fields.image_path === "string" ? fields.image_path : null;
	const promptId = typeof fields.prompt_id === "string" && fields.prompt_id !== "" ? fields.prompt_id : null;
	const fileName = imagePath === null ? null : imagePath.slice(imagePath.lastIndexOf("/") + 1);
	const row: CheckedRow = {
		place,
		raw,
		row: null,
		imagePath,
		promptId,
		fileName,
		placed: false,
		findings: [],
		repeats: false,
		unselected: false,
	};
	const parsed = SourceRow.safeParse(raw);
	if (parsed.success) row.row = parsed.data;
	else row.findings.push(rowFinding("ROW_SCHEMA", schemaDetail(raw, parsed.error.issues), row));
	if (imagePath !== null) {
		row.placed = imagePath.startsWith(prefix) && UUID_FILE.test(imagePath.slice(prefix.length));
		if (!row.placed) {
			row.findings.push(rowFinding("ROW_PATH", `${shown(imagePath, 120)} is not ${prefix}<lower-case uuid>.webp`, row));
		}
	}
	if (row.row) {
		const { row: good } = row;
		const outside = RATING_COLUMNS.filter((column) => good[column] < 1 || good[column] > 7);
		if (outside.length > 0) {
			const detail = `outside 1–7: ${outside.map((column) => `${column} ${good[column]}`).join(", ")}`;
			row.findings.push(rowFinding("RATING_RANGE", detail, row));
		}
	}
	return row;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function schemaDetail(raw: unknown, issues: { path: PropertyKey[]; code: string }[]): string {
	if (!isObject(raw)) return `the row is no object but ${shown(raw)}`;
	const columns = [...new Set(issues.map((issue) => String(issue.path[0])))];
	const told = columns.map((column) => {
		if (!Object.hasOwn(raw, column)) return `${column} is missing`;
		return `${column} cannot be ${shown(raw[column])}`;
	});
	return told.join("; ");
}

/** ROW_DUPLICATE: equal rows after the first, and all rows that contradict each other about one image. */
function markDuplicates(rows: CheckedRow[]): void {
	const byPath = new Map<string, CheckedRow[]>();
	for (const row of rows) {
		if (!row.row || !row.placed) continue;
		const same = byPath.get(row.row.image_path);
		if (same) same.push(row);
		else byPath.set(row.row.image_path, [row]);
	}
	for (const same of byPath.values()) {
		const [first, ...others] = same;
		if (!first || others.length === 0) continue;
		const contradict = new Set(same.map((row) => canonicalJson(row.row))).size > 1;
		for (const row of contradict ? same : others) {
			row.repeats = !contradict;
			const detail = contradict
				? `${same.length} rows contradict each other about this image: ${differing(same)}`
				: `equal to the row at place ${first.place}`;
			row.findings.push(rowFinding("ROW_DUPLICATE", detail, row));
		}
	}
}

function differing(rows: CheckedRow[]): string {
	const columns = ROW_COLUMNS.filter((column) => new Set(rows.map((row) => row.row?.[column])).size > 1);
	return columns.join(", ");
}

/**
 * ROW_NOT_IN_METADATA and ROW_DIFFERS_FROM_METADATA, of rows whose own text is good and that no other
 * row contradicts: of two that do, one differs from the metadata by necessity. The predicate was asked of the
 * metadata's row: what it does not choose is compared no further.
 */
function compareWithMetadata(row: CheckedRow, metadata: ShardMetadata): void {
	if (!row.row || !row.placed || row.findings.some(({ code }) => code === "ROW_DUPLICATE")) return;
	const known = metadata.rows.get(row.row.image_path);
	const [other] = known ?? [];
	if (!known || !other) {
		row.findings.push(rowFinding("ROW_NOT_IN_METADATA", "the split's metadata has no row for this image", row));
		return;
	}
	if (metadata.chosen && !metadata.chosen.has(row.row.image_path)) {
		row.unselected = true;
		row.findings = [];
		return;
	}
	if (known.length > 1) {
		const columns = ROW_COLUMNS.filter((column) => new Set(known.map((one) => one[column])).size > 1);
		const detail = `the metadata has ${known.length} rows that contradict each other: ${columns.join(", ")}`;
		row.findings.push(rowFinding("ROW_DIFFERS_FROM_METADATA", detail, row));
		return;
	}
	const good = row.row;
	const columns = ROW_COLUMNS.filter((column) => good[column] !== other[column]);
	if (columns.length === 0) return;
	const told = columns.map((column) => `${column} ${shown(good[column])}, in the metadata ${shown(other[column])}`);
	row.findings.push(rowFinding("ROW_DIFFERS_FROM_METADATA", told.join("; "), row));
}

/** UNKNOWN_COLUMN: one for each column that the rows or the metadata have beyond the nine. */
function unknownColumns(rows: CheckedRow[], metadata: ShardMetadata): Finding[] {
	const known = new Set<string>(ROW_COLUMNS);
	const inRows = new Map<string, number>();
	for (const { raw } of rows) {
		if (!isObject(raw)) continue;
		for (const name of Object.keys(raw)) if (!known.has(name)) inRows.set(name, (inRows.get(name) ?? 0) + 1);
	}
	const names = [...new Set([...inRows.keys(), ...metadata.unknownColumns])].sort(byCodePoint);
	return names.map((name) => {
		const places: string[] = [];
		const count = inRows.get(name);
		if (count !== undefined) places.push(`${count} ${count === 1 ? "row" : "rows"} of the JSON`);
		if (metadata.unknownColumns.includes(name)) places.push("the metadata");
		return finding("UNKNOWN_COLUMN", `${shown(name, 120)} in ${places.join(" and ")}`);
	});
}

/** METADATA_EXTRA_ROW: images of this shard that only the metadata knows. */
function extraRows(rows: CheckedRow[], metadata: ShardMetadata): Finding[] {
	const named = new Set(rows.map((row) => row.imagePath));
	const extra: Finding[] = [];
	for (const [path, [row]] of metadata.rows) {
		if (named.has(path) || !row || metadata.chosen?.has(path) === false) continue;
		const promptId = typeof row.prompt_id === "string" ? row.prompt_id : null;
		extra.push(
			finding("METADATA_EXTRA_ROW", "the shard's JSON has no row for this image", {
				image_path: path,
				prompt_id: promptId,
				row: JSON.stringify(row),
			}),
		);
	}
	return extra;
}

/**
 * PROMPT_CONFLICT and GROUP_COUNT, one a prompt. Rows that repeat an equal one count once. A prompt of which nothing is
 * chosen has none; of the others all rows count, chosen or not.
 */
function prompts(rows: CheckedRow[], { chosen }: ShardMetadata): Finding[] {
	const groups = new Map<string, CheckedRow[]>();
	for (const row of rows) {
		if (row.promptId === null || row.repeats) continue;
		const group = groups.get(row.promptId);
		if (group) group.push(row);
		else groups.set(row.promptId, [row]);
	}
	const found: Finding[] = [];
	for (const [promptId, group] of groups) {
		if (chosen && !group.some(({ imagePath }) => imagePath !== null && chosen.has(imagePath))) continue;
		const good = group.flatMap(({ row }) => (row ? [row] : []));
		const columns = (["prompt", "classification", "image_amount_in_total"] as const).filter(
			(column) => new Set(good.map((row) => row[column])).size > 1,
		);
		const about = { prompt_id: promptId };
		const expected = good[0]?.image_amount_in_total;
		const images = new Set(group.map((row) => row.imagePath ?? row.place)).size;
		if (columns.length > 0) {
			found.push(finding("PROMPT_CONFLICT", `its rows differ in ${columns.join(", ")}`, about));
		} else if (expected !== undefined && images !== expected) {
			const detail = `${images} rows in the JSON, image_amount_in_total says ${expected}`;
			found.push(finding("GROUP_COUNT", detail, about));
		}
	}
	return found;
}
