import { columns, OBJECT_COLUMNS, type Table } from "../../schemas/tables.js";
import { type Dataset, publishedColumns } from "../dataset.js";

/** The tables of a lake: the core's own two, with those of the dataset between them. */

/** Its log is where a publisher claims a number, so its commit comes first. */
export const IMAGES = "images";
/** Its commit comes last: where it is, a version is whole. */
export const QUARANTINE = "quarantine";

/** Every table, in the order in which a publish commits them. */
export function tablesOf(dataset: Dataset): Table[] {
	const group = dataset.group === null ? [] : [dataset.group];
	const told = columns("text", "code", "severity", "image_path", ...group, "member", "detail", "row");
	const quarantine = [...told, ...columns("long", "bytes"), ...columns("text", "sha256")];
	const images = [...columns("text", "image_id"), ...publishedColumns(dataset), ...OBJECT_COLUMNS];
	return [
		{ name: IMAGES, columns: images, key: ["image_path"] },
		...dataset.tables.list,
		{ name: QUARANTINE, columns: quarantine, key: quarantine.map(({ name }) => name) },
	];
}
