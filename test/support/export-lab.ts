import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { makeSample, type SampleOptions } from "../tools/sample/make.js";
import { type CliEnd, type CliProcess, runCli, startCli } from "./cli.js";
import { tempDir } from "./root.js";

/** One lake that the exports' tests share, and where they export to. */

const Document = z.looseObject({
	state: z.string(),
	exit_code: z.int(),
	error: z.looseObject({ code: z.string() }).nullable(),
	counts: z.record(z.string(), z.int()).nullable(),
});

export class ExportLab {
	readonly source: string;
	readonly lake: string;
	readonly #root: { path: string; remove: () => void };

	constructor(root: { path: string; remove: () => void }) {
		this.#root = root;
		this.source = join(root.path, "source");
		this.lake = join(root.path, "lake");
	}

	/** Makes a sample and mirrors it: `steps` of its shards one after the other, a snapshot each; by default all at once. `env` is the mirror's. */
	static async open(
		name: string,
		sample: SampleOptions & { shards: string[] },
		steps: string[][] = [sample.shards],
		env: NodeJS.ProcessEnv = {},
	): Promise<ExportLab> {
		const lab = new ExportLab(tempDir(name));
		await makeSample(lab.source, { ...sample, planted: null });
		for (const shards of steps) {
			const ended = await lab.mirror(lab.source, lab.lake, shards, env);
			if (ended.code !== 0) throw new Error(`mirror ended with ${ended.code}: ${ended.stderr}`);
		}
		return lab;
	}

	close(): void {
		this.#root.remove();
	}

	path(name: string): string {
		return join(this.#root.path, name);
	}

	mirror(source: string, lake: string, shards: string[], env: NodeJS.ProcessEnv = {}): Promise<CliEnd> {
		const place = ["--lake", lake, "--scratch", this.path("scratch")];
		return runCli(["mirror", "--source", `file://${source}`, ...place, "--shards", shards.join(",")], env);
	}

	#args(format: string, out: string, more: string[]): string[] {
		const place = ["--lake", this.lake, "--out", this.path(out), "--scratch", this.path("scratch")];
		return ["export", format, ...place, ...more, "--json"];
	}

	async export(format: string, out: string, ...more: string[]): Promise<z.infer<typeof Document>> {
		const ended = await runCli(this.#args(format, out, more), { LOG_LEVEL: "warn" });
		return Document.parse(JSON.parse(ended.stdout));
	}

	/** The same to any address, with its own lake, in other surroundings. */
	async exportTo(
		format: string,
		out: string,
		args: string[],
		env: NodeJS.ProcessEnv,
	): Promise<z.infer<typeof Document>> {
		const scratch = ["--scratch", this.path("scratch")];
		const ended = await runCli(["export", format, "--out", out, ...scratch, ...args, "--json"], env);
		return Document.parse(JSON.parse(ended.stdout));
	}

	start(format: string, out: string, ...more: string[]): Promise<CliProcess> {
		return startCli(this.#args(format, out, more), { LOG_LEVEL: "warn" });
	}

	/** Names at the top of an export; none where it does not exist. */
	names(out: string): string[] {
		return existsSync(this.path(out)) ? readdirSync(this.path(out)).sort() : [];
	}

	/** One SHA-256 over all paths and bytes of an export. */
	digest(out: string): string {
		const hash = createHash("sha256");
		const entries = readdirSync(this.path(out), { recursive: true, withFileTypes: true });
		const files = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
		for (const file of files.sort()) {
			const content = readFileSync(file);
			hash.update(`${relative(this.path(out), file)} ${content.length}\n`).update(content);
		}
		return hash.digest("hex");
	}
}
