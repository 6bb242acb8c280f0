import { canonicalJson } from "../../../schemas/records.js";
import type { Row } from "../../../schemas/tables.js";
import { type Dataset, lakeCell, type SourceColumn } from "../../dataset.js";
import { byCodePoint, shown } from "../../text.js";
import { finding, rowFinding } from "./finding.js";
import type { JsonRow } from "./parse-json.js";
import type { CheckedRow, CheckedRows, Finding, ShardMetadata } from "./verdict.js";

type JsonColumn = SourceColumn & Required<Pick<SourceColumn, "json">>;
type MetadataColumn = SourceColumn & Required<Pick<SourceColumn, "metadata">>;

/** What the rows of one shard are checked against. */
interface Rules {
	dataset: Dataset;
	/** Prefix that each image path must have. */
	prefix: string;
	/** Columns in the JSON, in the metadata, and in both. */
	json: JsonColumn[];
	metadata: MetadataColumn[];
	both: (JsonColumn & MetadataColumn)[];
}

/**
 * Checks a shard's rows against their schema, against each other and against the metadata. Reads no images.
 */
export function checkRows(values: JsonRow[], dataset: Dataset, shard: string, metadata: ShardMetadata): CheckedRows {
	const json = dataset.columns.filter((column): column is JsonColumn => column.json !== undefined);
	const metadataColumns = dataset.columns.filter((column): column is MetadataColumn => column.metadata !== undefined);
	const both = json.filter((column): column is JsonColumn & MetadataColumn => column.metadata !== undefined);
	const rules: Rules = { dataset, prefix: dataset.layout.rowPrefix(shard), json, metadata: metadataColumns, both };
	const rows = values.map((value, place) => checkRow(value, place, rules));
	markDuplicates(rows, rules);
	for (const row of rows) compareWithMetadata(row, metadata, rules);
	const about = [
		...unknownColumns(rows, metadata, rules),
		...extraRows(rows, metadata, rules),
		...groupFindings(rows, metadata, rules),
	];
	return { rows, findings: about };
}

/** Checks a row by itself: ROW_SCHEMA, ROW_PATH and the dataset's own checks. */
function checkRow({ key, value }: JsonRow, place: number, rules: Rules): CheckedRow {
	const { dataset, prefix, json } = rules;
	const fields = isObject(value) ? fieldsOf(key, value, rules) : {};
	const read = new Map(json.map(({ name, json: { field, read: of } }) => [name, of(fields[field])]));
	const usable = (name: string): string | null => {
		const text = read.get(name);
		return typeof text === "string" ? text : null;
	};
	const imagePath = usable("image_path");
	const row: CheckedRow = {
		place,
		raw: key === null ? value : { [key]: value },
		fields,
		row: null,
		imagePath,
		group: dataset.group === null ? null : usable(dataset.group),
		fileName: imagePath === null ? null : imagePath.slice(imagePath.lastIndexOf("/") + 1),
		placed: false,
		findings: [],
		repeats: false,
		unselected: false,
	};
	const wrong = json.filter(({ name }) => read.get(name) === undefined);
	if (isObject(value) && wrong.length === 0)
		row.row = Object.fromEntries(read) as Row; // none is undefined
	else row.findings.push(rowFinding("ROW_SCHEMA", schemaDetail(value, fields, wrong), row));
	if (imagePath !== null) {
		const { pattern, shown: form } = dataset.layout.fileName;
		row.placed = imagePath.startsWith(prefix) && pattern.test(imagePath.slice(prefix.length));
		if (!row.placed) {
			row.findings.push(rowFinding("ROW_PATH", `${shown(imagePath, 120)} is not ${prefix}${form}`, row));
		}
	}
	if (row.row) {
		for (const { code, detail } of dataset.checks.row(row.row)) row.findings.push(rowFinding(code, detail, row));
	}
	return row;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** In an object of rows by file name, a row's path follows from its key. */
function fieldsOf(key: string | null, value: Record<string, unknown>, { prefix }: Rules): Record<string, unknown> {
	return key === null ? value : { ...value, image_path: `${prefix}${key}` };
}

function schemaDetail(value: unknown, fields: Record<string, unknown>, wrong: JsonColumn[]): string {
	if (!isObject(value)) return `the row is no object but ${shown(value)}`;
	const problems = wrong.map(({ json: { field } }) => {
		if (!Object.hasOwn(fields, field)) return `${field} is missing`;
		return `${field} cannot be ${shown(fields[field])}`;
	});
	return problems.join("; ");
}

/** ROW_DUPLICATE: equal rows after the first, and all rows that contradict each other about one image. */
function markDuplicates(rows: CheckedRow[], { json }: Rules): void {
	const byPath = new Map<string, CheckedRow[]>();
	for (const row of rows) {
		if (!row.row || !row.placed || row.imagePath === null) continue;
		const same = byPath.get(row.imagePath);
		if (same) same.push(row);
		else byPath.set(row.imagePath, [row]);
	}
	for (const same of byPath.values()) {
		const [first, ...others] = same;
		if (!first || others.length === 0) continue;
		const contradict = new Set(same.map((row) => canonicalJson(row.row))).size > 1;
		const differ = json.filter(({ name }) => new Set(same.map(({ row }) => row?.[name])).size > 1);
		for (const row of contradict ? same : others) {
			row.repeats = !contradict;
			const detail = contradict
				? `${same.length} rows contradict each other about this image: ${namesOf(differ)}`
				: `equal to the row at place ${first.place}`;
			row.findings.push(rowFinding("ROW_DUPLICATE", detail, row));
		}
	}
}

function namesOf(columns: SourceColumn[]): string {
	return columns.map(({ name }) => name).join(", ");
}

/**
 * ROW_NOT_IN_METADATA and ROW_DIFFERS_FROM_METADATA. Only for rows that are good by themselves and that no other row
 * contradicts: of two contradictory rows, one must differ from the metadata. The predicate judges the metadata's row; an
 * unselected row is not compared.
 */
function compareWithMetadata(
	row: CheckedRow,
	metadata: ShardMetadata,
	{ metadata: metadataColumns, both }: Rules,
): void {
	const { row: good, imagePath, placed, findings } = row;
	if (!good || !placed || imagePath === null || findings.some(({ code }) => code === "ROW_DUPLICATE")) return;
	const known = metadata.rows.get(imagePath);
	const [other] = known ?? [];
	if (!known || !other) {
		findings.push(rowFinding("ROW_NOT_IN_METADATA", "the split's metadata has no row for this image", row));
		return;
	}
	if (metadata.chosen && !metadata.chosen.has(imagePath)) {
		row.unselected = true;
		row.findings = [];
		return;
	}
	if (known.length > 1) {
		const columns = metadataColumns.filter(({ name }) => new Set(known.map((one) => one[name])).size > 1);
		const detail = `the metadata has ${known.length} rows that contradict each other: ${namesOf(columns)}`;
		findings.push(rowFinding("ROW_DIFFERS_FROM_METADATA", detail, row));
		return;
	}
	const differ = both.filter((column) => good[column.name] !== lakeCell(column, other));
	if (differ.length > 0) {
		const texts = differ.map((column) => {
			return `${column.name} ${shown(good[column.name])}, in the metadata ${shown(lakeCell(column, other))}`;
		});
		findings.push(rowFinding("ROW_DIFFERS_FROM_METADATA", texts.join("; "), row));
	}
	const more = metadataColumns
		.filter(({ json }) => json === undefined)
		.map((column) => [column.name, lakeCell(column, other)]);
	if (more.length > 0) row.row = { ...good, ...Object.fromEntries(more) };
}

/** UNKNOWN_COLUMN: one for each column of the rows or the metadata that the dataset does not define. */
function unknownColumns(rows: CheckedRow[], metadata: ShardMetadata, { json }: Rules): Finding[] {
	const known = new Set<string>(json.map(({ json: { field } }) => field));
	const inRows = new Map<string, number>();
	for (const { fields } of rows) {
		for (const name of Object.keys(fields)) if (!known.has(name)) inRows.set(name, (inRows.get(name) ?? 0) + 1);
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

/** METADATA_EXTRA_ROW: images of this shard that only the metadata lists. */
function extraRows(rows: CheckedRow[], metadata: ShardMetadata, { dataset }: Rules): Finding[] {
	const named = new Set(rows.map((row) => row.imagePath));
	const extra: Finding[] = [];
	for (const [path, [row]] of metadata.rows) {
		if (named.has(path) || !row || metadata.chosen?.has(path) === false) continue;
		const group = dataset.group === null ? null : row[dataset.group];
		extra.push(
			finding("METADATA_EXTRA_ROW", "the shard's JSON has no row for this image", {
				image_path: path,
				group: typeof group === "string" ? group : null,
				row: JSON.stringify(row),
			}),
		);
	}
	return extra;
}

/**
 * The dataset's findings about each group. Repeated equal rows count once. A group without a selected image is not
 * checked; in the others every row counts, selected or not.
 */
function groupFindings(rows: CheckedRow[], { chosen }: ShardMetadata, { dataset }: Rules): Finding[] {
	const groups = new Map<string, CheckedRow[]>();
	for (const row of rows) {
		if (row.group === null || row.repeats) continue;
		const group = groups.get(row.group);
		if (group) group.push(row);
		else groups.set(row.group, [row]);
	}
	return [...groups].flatMap(([name, group]) => {
		if (chosen && !group.some(({ imagePath }) => imagePath !== null && chosen.has(imagePath))) return [];
		const good = group.flatMap(({ row }) => (row ? [row] : []));
		const images = new Set(group.map((row) => row.imagePath ?? row.place)).size;
		return dataset.checks.group(good, images).map(({ code, detail }) => finding(code, detail, { group: name }));
	});
}
