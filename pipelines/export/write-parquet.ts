import { rm } from "node:fs/promises";
import type { ExportCell, ExportColumn, ExportFiles } from "../ports/exports.js";

/** What a parquet file is made of. */
interface ParquetContent<Row> {
	columns: ExportColumn[];
	/** Rows of each row group. */
	groups: Row[][];
	/** Reads a row's images, and returns its cells. */
	cells: (row: Row) => Promise<ExportCell[]>;
	/** Goes into the schema under `huggingface`. */
	metadata: string | null;
}

/** Writes one parquet file, group by group, so that memory holds the images of one group at a time. */
export async function writeParquet<Row>(
	files: ExportFiles,
	{ columns, groups, cells, metadata }: ParquetContent<Row>,
	local: string,
	signal: AbortSignal,
): Promise<void> {
	const parts: string[] = [];
	try {
		for (const [at, group] of groups.entries()) {
			signal.throwIfAborted();
			const part = `${local}.${at}.part`;
			parts.push(part);
			await files.writePart(columns, readGroup(group, cells), part);
		}
		signal.throwIfAborted();
		await files.join(parts, local, metadata);
	} finally {
		for (const part of parts) await rm(part, { force: true });
	}
}

/** How many rows' images are read at once, and wait at most. */
const READ_AHEAD = 8;

async function* readGroup<Row>(group: Row[], cells: (row: Row) => Promise<ExportCell[]>): AsyncIterable<ExportCell[]> {
	for (let at = 0; at < group.length; at += READ_AHEAD)
		yield* await Promise.all(group.slice(at, at + READ_AHEAD).map(cells));
}
