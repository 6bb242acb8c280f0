import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type CliEnd, type CliProcess, startCli } from "../../support/cli.js";
import { ROOT, tempDir } from "../../support/root.js";
import type { Subject } from "./subject.js";

type Document = Record<string, unknown> & { error: { code: string; message: string; hint: string } | null };

/** The tests' own command, which has the made-up dataset beside the shipped one. */
const COMMAND = join(ROOT, "dist/test/datasets/irlake.js");

/** Room for sources and lakes of one dataset, and the commands that read and write them. */
export class DatasetLab {
	readonly subject: Subject;
	readonly #temp: { path: string; remove: () => void };
	readonly #started: CliProcess[] = [];

	constructor(subject: Subject) {
		this.subject = subject;
		this.#temp = tempDir(`dataset-${subject.dataset.name}`);
	}

	/** Ends what a failed test may have left, too. */
	async close(): Promise<void> {
		for (const { child, kill } of this.#started) {
			if (child.exitCode === null && child.signalCode === null) kill("SIGKILL");
		}
		await Promise.all(this.#started.map(({ ended }) => ended));
		this.#temp.remove();
	}

	path(name: string): string {
		return join(this.#temp.path, name);
	}

	async start(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliProcess> {
		const own = { HF_HUB_DISABLE_IMPLICIT_TOKEN: "1", XDG_CACHE_HOME: this.path("cache"), LOG_LEVEL: "warn" };
		const command = await startCli(args, { ...own, ...env }, COMMAND);
		this.#started.push(command);
		return command;
	}

	async run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliEnd> {
		return (await this.start(args, env)).ended;
	}

	/** The document that a command ends with, whatever its exit code. */
	async document(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Document> {
		const { code, stdout, stderr } = await this.run([...args, "--json"], env);
		try {
			return JSON.parse(stdout) as Document;
		} catch (cause) {
			throw new Error(`irlake ${args.join(" ")} ended with ${code} and no document: ${stderr}`, { cause });
		}
	}

	/** `irlake mirror` of the subject's shards from this source into the lake of this name. */
	mirror(source: string, lake: string, more: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Document> {
		const place = ["--source", source, "--lake", this.path(lake), "--scratch", this.path("scratch")];
		return this.document(["mirror", ...place, ...this.shards(), ...more], env);
	}

	/** Rows of a query, by column. */
	async query(sql: string): Promise<Record<string, unknown>[]> {
		const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
		const connection = await instance.connect();
		try {
			return (await connection.runAndReadAll(sql)).getRowObjectsJson();
		} finally {
			connection.closeSync();
			instance.closeSync();
		}
	}

	shards(): string[] {
		return ["--dataset", this.subject.dataset.name, "--shards", this.subject.shards.join(",")];
	}
}
