import type { PlainRow, RowDifference } from "../../../pipelines/ports/tables.js";
import { LakeError } from "../../../schemas/errors.js";
import { type Column, isNumeric, type Table } from "../../../schemas/tables.js";
import { parquet, quoted } from "./sql.js";

/** Says which side has the row: 1 before, 2 after, 3 both. */
const SIDES = "irlake_sides";
/** Numbers rows of one key, so that each meets at most one of the other file. */
const NTH = "irlake_nth";

interface DifferencesQuery {
	/** What follows FROM. */
	from: string;
	/** its columns that are read as text, `b.x` and `a.x` of each. */
	texts: string[];
	numbers: string[];
}

/** The rows in which two files of one table differ, as one query. */
export function differencesQuery(
	{ columns, key }: Table,
	before: string | null,
	after: string | null,
): DifferencesQuery {
	const some = before ?? after;
	if (some === null) throw new LakeError("INTERNAL", "Two files that are both absent cannot be compared.");
	const names = columns.map(({ name }) => name);
	const numbered = (file: string | null): string => {
		const partition = key.map(quoted).join(", ");
		const rows = `SELECT ${names.map(quoted).join(", ")} FROM ${parquet(file ?? some)}${file === null ? " WHERE false" : ""}`;
		return `(SELECT *, row_number() OVER (PARTITION BY ${partition}) AS ${NTH} FROM (${rows}))`;
	};
	const side = (name: string) =>
		columns.map(({ name: column, type }) => {
			const cell = `${name}.${quoted(column)}`;
			return `${type === "timestamp" ? `epoch_us(${cell})` : cell} AS ${quoted(`${name}.${column}`)}`;
		});
	const meets = [...key.map(quoted), NTH].map((column) => `b.${column} IS NOT DISTINCT FROM a.${column}`);
	const differs = names.map(quoted).map((column) => `b.${column} IS DISTINCT FROM a.${column}`);
	const sides = `(b.${NTH} IS NOT NULL)::INTEGER + 2 * (a.${NTH} IS NOT NULL)::INTEGER AS ${SIDES}`;
	const order = key.map((column) => `coalesce(${quoted(`b.${column}`)}, ${quoted(`a.${column}`)}) NULLS FIRST`);
	const from = `(SELECT ${sides}, ${[...side("b"), ...side("a")].join(", ")}
		FROM ${numbered(before)} b FULL JOIN ${numbered(after)} a ON ${meets.join(" AND ")}
		WHERE b.${NTH} IS NULL OR a.${NTH} IS NULL OR ${differs.join(" OR ")}) ORDER BY ${order.join(", ")}`;
	const isNumber = ({ type }: Column) => isNumeric(type) || type === "timestamp";
	const both = (list: readonly Column[]) =>
		["b", "a"].flatMap((name) => list.map((column) => `${name}.${column.name}`));
	return {
		from,
		texts: both(columns.filter((column) => !isNumber(column))),
		numbers: [SIDES, ...both(columns.filter(isNumber))],
	};
}

/** A row of the query as the two rows it was made of. */
export function differencesOf(columns: readonly Column[]): (row: PlainRow) => RowDifference {
	const side = (row: PlainRow, name: string): PlainRow =>
		Object.fromEntries(columns.map((column) => [column.name, row[`${name}.${column.name}`] ?? null]));
	return (row) => {
		const sides = Number(row[SIDES]);
		return { before: sides & 1 ? side(row, "b") : null, after: sides & 2 ? side(row, "a") : null };
	};
}
