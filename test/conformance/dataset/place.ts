import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { z } from "zod";
import { metadataPath, splitNames, splitsOf } from "../../../pipelines/splits.js";
import { Latest, Snapshot } from "../../../schemas/records.js";
import { type CliProcess, startCli } from "../../support/cli.js";
import { lakeFiles } from "../../support/lake.js";
import { ROOT, tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import type { Subject } from "./subject.js";

/** The tests' own command, which has the made-up dataset beside the shipped one. */
export const COMMAND = join(ROOT, "dist/test/datasets/irlake.js");

/** What `--json` prints, of whatever command. */
export type Document = Record<string, unknown>;

/** A source on the test Hub, under the dataset's own name, and the command line that knows every dataset of the tests. */
export class Place {
	readonly #root: { path: string; remove: () => void };
	readonly subject: Subject;
	readonly hub: HubHandle;

	constructor(subject: Subject, root: { path: string; remove: () => void }, hub: HubHandle) {
		this.subject = subject;
		this.#root = root;
		this.hub = hub;
	}

	static async open(subject: Subject): Promise<Place> {
		const root = tempDir("dataset");
		await subject.clean(join(root.path, "source"), "zip");
		const hub = await startHub(join(root.path, "source"), { repo: subject.dataset.repo });
		return new Place(subject, root, hub);
	}

	async close(): Promise<void> {
		await this.hub.stop();
		this.#root.remove();
	}

	path(name: string): string {
		return join(this.#root.path, name);
	}

	start(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliProcess> {
		const own = { HF_ENDPOINT: this.hub.endpoint, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1", LOG_LEVEL: "warn" };
		const place = { XDG_CACHE_HOME: this.path("cache") };
		return startCli(args, { ...own, ...place, ...env }, COMMAND);
	}

	async run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Document> {
		const { code, signal, stdout, stderr } = await (await this.start([...args, "--json"], env)).ended;
		if (stdout === "") throw new Error(`irlake ${args.join(" ")} ended with ${code ?? signal}: ${stderr}`);
		return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
	}

	/** `irlake COMMAND` of the clean source's shards, and the lake of this name. */
	of(command: string, lake: string, ...more: string[]): Promise<Document> {
		const place = ["--lake", this.path(lake)];
		const shards = more.includes("--shards") ? [] : ["--shards", this.subject.shards.join(",")];
		return this.run([command, ...place, ...shards, ...more]);
	}

	/** Mirrors from the Hub; the dataset is known by its repository. */
	mirror(lake: string, ...more: string[]): Promise<Document> {
		return this.of("mirror", lake, "--source", `hf://${this.subject.dataset.repo}@main`, ...more);
	}

	/** Mirrors a folder of this place. */
	mirrorFolder(folder: string, lake: string, ...more: string[]): Promise<Document> {
		const source = ["--source", `file://${this.path(folder)}`, "--dataset", this.subject.dataset.name];
		return this.of("mirror", lake, ...source, ...more);
	}

	/** Puts every file of a folder in the source's place, as a new commit. */
	async replaceSource(folder: string): Promise<void> {
		for (const path of filesBelow(this.path(folder))) {
			const aside = this.path("aside");
			cpSync(join(this.path(folder), path), aside);
			mkdirSync(dirname(join(this.path("source"), path)), { recursive: true });
			renameSync(aside, join(this.path("source"), path));
		}
		await this.hub.reload();
	}

	snapshot(lake: string): Snapshot {
		const read = (path: string): unknown => JSON.parse(readFileSync(join(this.path(lake), path), "utf8"));
		return Snapshot.parse(read(Latest.parse(read("latest.json")).snapshot));
	}

	/** Objects and rows of images: what is the same of every form of one source. */
	content(lake: string): string[] {
		return lakeFiles(this.path(lake)).filter((path) => /^(objects\/|tables\/images\/split=)/.test(path));
	}

	/** SQL that gives a lake's table. */
	tableSql(lake: string, table: string): string {
		const files = this.snapshot(lake).tables[table]?.files ?? [];
		return parquetSql(files.map(({ path }) => join(this.path(lake), path)));
	}

	/** SQL that gives the source's metadata, with the image path of each row as `path_of_image`. */
	metadataSql(): string {
		const { dataset, imagePath } = this.subject;
		const parts = splitsOf(dataset, [...this.subject.shards]).map((split) => {
			const file = join(this.path("source"), metadataPath(dataset, split));
			return `SELECT ${imagePath(split)} AS path_of_image, * FROM ${parquetSql([file])}`;
		});
		return `(${parts.join(" UNION ALL ")})`;
	}

	/** Of a lake's table, what one SQL expression gives. */
	ofTable(lake: string, table: string, sql: string): Promise<string> {
		const files = this.snapshot(lake).tables[table]?.files ?? [];
		return value(
			files.map(({ path }) => join(this.path(lake), path)),
			sql,
			"true",
		);
	}

	/** Of the source's metadata, what one SQL expression gives. */
	ofMetadata(sql: string, where = "true"): Promise<string> {
		const { dataset } = this.subject;
		const paths = splitNames(dataset).map((split) => join(this.path("source"), metadataPath(dataset, split)));
		return value(
			paths.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined),
			sql,
			where,
		);
	}
}

function filesBelow(folder: string): string[] {
	const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
	return names.filter((name) => statSync(join(folder, name)).isFile());
}

/** Columns of a parquet file and their types, as DuckDB names them. */
export async function columnsOf(file: string): Promise<Record<string, string>> {
	const rows = await query(`DESCRIBE SELECT * FROM read_parquet('${file}', hive_partitioning = false)`);
	return Object.fromEntries(rows.map(([name, type]) => [String(name), String(type)]));
}

async function value(files: string[], sql: string, where: string): Promise<string> {
	const [row] = await query(`SELECT (${sql})::VARCHAR FROM ${parquetSql(files)} WHERE ${where}`);
	return String(row?.[0]);
}

function parquetSql(files: string[]): string {
	return `read_parquet([${files.map((file) => `'${file}'`).join(", ")}], hive_partitioning = true)`;
}

export async function query(sql: string): Promise<unknown[][]> {
	const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
	const connection = await instance.connect();
	try {
		return (await connection.runAndReadAll(sql)).getRows();
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}
