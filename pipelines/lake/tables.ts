import { columns, OBJECT_COLUMNS, type Table } from "../../schemas/tables.js";
import { type Dataset, publishedColumns } from "../dataset.js";

/** The tables of a lake: the core's own two, with the dataset's between them. */

/** Committed first: its log is where a publisher claims a number. */
export const IMAGES = "images";
/** Committed last: a version with this commit is whole. */
export const QUARANTINE = "quarantine";

/** All tables, in the order in which a publish commits them. */
export function tablesOf(dataset: Dataset): Table[] {
	const group = dataset.group === null ? [] : [dataset.group];
	const texts = columns("text", "code", "severity", "image_path", ...group, "member", "detail", "row");
	const quarantine = [...texts, ...columns("long", "bytes"), ...columns("text", "sha256")];
	const images = [...columns("text", "image_id"), ...publishedColumns(dataset), ...OBJECT_COLUMNS];
	return [
		{ name: IMAGES, columns: images, key: ["image_path"] },
		...dataset.tables.list,
		{ name: QUARANTINE, columns: quarantine, key: quarantine.map(({ name }) => name) },
	];
}
