import type { TableRow } from "../../../schemas/tables.js";
import { type Dataset, publishedColumns } from "../../dataset.js";
import type { Finding, GoodRow, ShardTables, Verdict } from "../check/verdict.js";

/** Turns the verdict on a shard into rows of the core's own two tables and of the dataset's. */
export function tableRows(dataset: Dataset, { good, rows, findings }: Verdict): ShardTables {
	const published = publishedColumns(dataset).map(({ name }) => name);
	const own = dataset.tables.make({ images: good, rows });
	return {
		rows: {
			images: good.map((one) => imageRow(one, published)),
			...own.rows,
			quarantine: findings.map(({ place: _, ...finding }) => findingRow(finding, dataset.group)),
		},
		counts: own.counts,
	};
}

function imageRow({ id, row, image, source, warnings }: GoodRow, columns: string[]): TableRow {
	return {
		image_id: id,
		...Object.fromEntries(columns.map((name) => [name, row[name] ?? null])),
		...image,
		source_sha256: source.sha256,
		source_bytes: source.bytes,
		crc32: source.crc32,
		warnings,
	};
}

/** A finding, with its group under the dataset's column name. */
export function findingRow<T extends Pick<Finding, "group">>(
	{ group, ...told }: T,
	column: string | null,
): Omit<T, "group"> & TableRow {
	return { ...told, ...(column === null ? {} : { [column]: group }) } as Omit<T, "group"> & TableRow;
}
