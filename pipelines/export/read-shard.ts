import { join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Snapshot } from "../../schemas/records.js";
import { type Dataset, publishedColumns } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import { tableFile } from "../lake/paths.js";
import { sha256Of } from "../lake/snapshot.js";
import type { ImageRow } from "../ports/exports.js";
import type { Reader, Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";

const OBJECT_COLUMNS = ["object_key", "sha256", "bytes", "format", "width", "height"];

interface ReadTools {
	dataset: Dataset;
	store: Store;
	tables: TableFiles;
	/** Folder of this run's own. */
	work: string;
}

/**
 * A shard's good images, in the order of its JSON. The parquet is checked against the snapshot's hash before it is read.
 * Throws LAKE_DAMAGED.
 */
export async function readShardRows(
	shard: string,
	snapshot: Snapshot,
	{ dataset, store, tables, work }: ReadTools,
): Promise<ImageRow[]> {
	const columns = ["image_id", ...publishedColumns(dataset).map(({ name }) => name), ...OBJECT_COLUMNS];
	const rows: ImageRow[] = [];
	for (const file of snapshot.tables.images?.files ?? []) {
		if (tableFile.parse(file.path)?.shard !== shard) continue;
		const local = await localTable(file, store, join(work, "images.parquet"));
		for await (const batch of tables.read(local, columns)) {
			rows.push(...(batch as unknown as ImageRow[])); // these columns, of a file whose hash was just checked
		}
	}
	return rows;
}

/** An image's stored bytes. Throws LAKE_DAMAGED if they are missing or have another SHA-256. */
export async function readImage(store: Reader, image: ImageRow): Promise<Buffer> {
	const path = image.object_key;
	const content = await store.get(path);
	if (content && content.length === image.bytes && sha256Of(content) === image.sha256) return content;
	const what = content ? "does not match the SHA-256 in its name" : "is missing";
	throw new LakeError("LAKE_DAMAGED", `The image ${path} in ${store.name} ${what}.`, { path });
}
