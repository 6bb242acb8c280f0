import { rm } from "node:fs/promises";
import type { ExportCell, ExportColumn, ExportFiles } from "../ports.js";

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
			await files.writePart(columns, await Promise.all(group.map(cells)), part);
		}
		signal.throwIfAborted();
		await files.join(parts, local, metadata);
	} finally {
		for (const part of parts) await rm(part, { force: true });
	}
}
