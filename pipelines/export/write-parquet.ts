import { rm } from "node:fs/promises";
import type { ExportCell, ExportColumn, ExportFiles } from "../ports/exports.js";

/**
 * Writes one parquet file, row group by row group: memory holds one group's images at a time.
 * @param groups rows of each group; @param cells a row's cells, its images read
 */
export async function writeParquet<Row>(
	files: ExportFiles,
	columns: ExportColumn[],
	groups: Row[][],
	cells: (row: Row) => Promise<ExportCell[]>,
	metadata: string | null,
	local: string,
	signal: AbortSignal,
): Promise<void> {
	const parts: string[] = [];
	try {
		for (const [at, group] of groups.entries()) {
			signal.throwIfAborted();
			const part = `${local}.${at}.part`;
			parts.push(part);
			await files.writePart(columns, loaded(group, cells), part);
		}
		signal.throwIfAborted();
		await files.join(parts, local, metadata);
	} finally {
		for (const part of parts) await rm(part, { force: true });
	}
}

/** How many rows' images are read at once; so many wait, and no more. */
const AHEAD = 8;

async function* loaded<Row>(group: Row[], cells: (row: Row) => Promise<ExportCell[]>): AsyncIterable<ExportCell[]> {
	for (let at = 0; at < group.length; at += AHEAD) yield* await Promise.all(group.slice(at, at + AHEAD).map(cells));
}
