import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { DuckDBInstance } from "../../infra/adapters/duckdb/node-api.js";
import { Receipt } from "../../schemas/records.js";
import { documentOf, runCli } from "./cli.js";
import { latestSnapshot } from "./lake.js";
import type { TableName } from "./tables.js";

/** `irlake mirror --json` and what it left in the lake, read without the product's own readers. */

/** The document of `mirror`, as the contract gives it. */
const MirrorDocument = z.object({
	state: z.enum(["published", "up_to_date", "failed", "interrupted"]),
	exit_code: z.int(),
	snapshot: z.string().nullable(),
	number: z.int().nullable(),
	shards: z.array(
		z.object({
			shard: z.string(),
			state: z.enum(["done", "reused", "failed", "skipped"]),
			code: z.string().nullable(),
			detail: z.string().nullable(),
		}),
	),
	counts: z.record(z.string(), z.int()).nullable(),
	findings: z.record(z.string(), z.int()),
	bytes_downloaded: z.int(),
	seconds: z.number(),
	error: z.object({ code: z.string(), message: z.string(), hint: z.string(), path: z.string().nullable() }).nullable(),
});

/** Where a mirror reads: a folder's path, or a Hub's endpoint. */
export type From = { folder: string } | { endpoint: string };

export interface Mirrored {
	code: number | null;
	document: z.infer<typeof MirrorDocument>;
	stderr: string;
}

/** Runs `irlake mirror` to its end, whatever its exit code. The scratch folder lies beside the lake. */
export async function mirror(from: From, lake: string, args: string[] = []): Promise<Mirrored> {
	const source = "folder" in from ? ["--source", `file://${from.folder}`] : [];
	const env = "endpoint" in from ? { HF_ENDPOINT: from.endpoint, LOG_LEVEL: "warn" } : { LOG_LEVEL: "warn" };
	const place = ["--lake", lake, "--scratch", scratchOf(lake)];
	const end = await runCli(["mirror", ...source, ...place, ...args, "--json"], env);
	documentOf(end);
	return { code: end.code, document: MirrorDocument.parse(JSON.parse(end.stdout)), stderr: end.stderr };
}

/** The scratch folder of a lake's mirrors. */
export function scratchOf(lake: string): string {
	return `${lake}.scratch`;
}

/** Exit code and problems of `irlake verify`. */
export async function verify(lake: string, ...args: string[]): Promise<{ code: number | null; problems: unknown }> {
	const end = await runCli(["verify", "--lake", lake, "--scratch", scratchOf(lake), ...args, "--json"]);
	return { code: end.code, problems: documentOf(end).problems };
}

/** Receipts of the newest snapshot's shards, by shard. */
export function receiptsOf(lake: string): Record<string, Receipt> {
	const entries = latestSnapshot(lake).shards.map(({ shard, receipt }) => {
		return [shard, Receipt.parse(JSON.parse(readFileSync(join(lake, receipt), "utf8")))];
	});
	return Object.fromEntries(entries);
}

export type Row = Record<string, unknown>;

/** Rows of a table's files, shard after shard, in each file's order, with `shard` as `train_1`. */
export async function rowsOf(lake: string, table: TableName): Promise<Row[]> {
	const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
	const connection = await instance.connect();
	try {
		const rows: Row[] = [];
		for (const { path } of latestSnapshot(lake).tables[table].files) {
			const [, split, number] = /split=(\w+)\/shard=(\d+)\//.exec(path) ?? [];
			const file = join(lake, path).replaceAll("'", "''");
			const read = await connection.runAndReadAll(`FROM read_parquet('${file}', hive_partitioning = false)`);
			for (const row of read.getRowObjectsJson()) rows.push({ ...row, shard: `${split}_${number}` });
		}
		return rows;
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}
