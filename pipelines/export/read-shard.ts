import { join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Snapshot } from "../../schemas/records.js";
import { ROW_COLUMNS } from "../../schemas/row.js";
import { shardParts } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import { sha256Of } from "../lake/snapshot.js";
import type { Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { ImageRow } from "./job.js";

const COLUMNS = ["image_id", ...ROW_COLUMNS, "object_key", "sha256", "bytes", "format", "width", "height"];

/**
 * A shard's good images, in the order of its JSON. The parquet is checked against the snapshot's hash before it is read.
 * Throws LAKE_DAMAGED. @param work this run's own folder
 */
export async function readShardRows(
	shard: string,
	snapshot: Snapshot,
	{ store, tables, work }: { store: Store; tables: TableFiles; work: string },
): Promise<ImageRow[]> {
	const { split, number } = shardParts(shard);
	const folder = `tables/images/split=${split}/shard=${number}/`;
	const rows: ImageRow[] = [];
	for (const file of snapshot.tables.images?.files ?? []) {
		if (!file.path.startsWith(folder)) continue;
		const local = await localTable(file, store, join(work, "images.parquet"));
		for await (const batch of tables.read(local, COLUMNS)) {
			rows.push(...(batch as unknown as ImageRow[])); // these columns, of a file whose hash was just checked
		}
	}
	return rows;
}

/** An image's stored bytes. Throws LAKE_DAMAGED if they are missing or have another SHA-256. */
export async function readImage(store: Store, image: ImageRow): Promise<Buffer> {
	const path = image.object_key;
	const content = await store.get(path);
	if (content && content.length === image.bytes && sha256Of(content) === image.sha256) return content;
	const what = content ? "does not match the SHA-256 in its name" : "is missing";
	throw new LakeError("LAKE_DAMAGED", `The image ${path} in ${store.name} ${what}.`, { path });
}
