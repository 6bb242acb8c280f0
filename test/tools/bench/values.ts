import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { Latest, Snapshot } from "../../../schemas/records.js";

/** What contenders computed of each image, by the image's id. */

/** `pixel_sha256 dhash`, from the parquet files that the newest snapshot lists. */
export function lakeValues(lake: string): Promise<Map<string, string>> {
	const latest = Latest.parse(JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")));
	const snapshot = Snapshot.parse(JSON.parse(readFileSync(join(lake, latest.snapshot), "utf8")));
	const files = (snapshot.tables.images?.files ?? []).map(({ path }) => join(lake, path));
	return parquetValues(files, "pixel_sha256 || ' ' || dhash");
}

/** The value of an SQL expression in each row of some parquet files. */
export async function parquetValues(files: string[], expression: string): Promise<Map<string, string>> {
	const names = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(", ");
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	const query = `SELECT image_id, ${expression} FROM read_parquet([${names}])`;
	const rows = (await connection.runAndReadAll(query)).getRows();
	connection.closeSync();
	instance.closeSync();
	return new Map(rows.map(([id, value]) => [String(id), String(value)]));
}

/** How many images differ, or are on one side only. */
export function countDifferent(expected: Map<string, string>, found: Map<string, string>): number {
	let different = [...found.keys()].filter((id) => !expected.has(id)).length;
	for (const [id, value] of expected) if (found.get(id) !== value) different += 1;
	return different;
}
