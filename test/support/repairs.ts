import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SampleOptions } from "../tools/sample/make.js";
import { type Damage, everyDamage } from "./damage.js";
import { Lab } from "./lab.js";
import { digestOf, lakeFiles } from "./lake.js";

/** A lake of two small shards to damage and to repair, anew for each test. */

export const SHARDS = ["test_1", "test_2"];
export const ZIP = "images/test/test_1.zip";
const SAMPLE = {
	shards: SHARDS,
	images: 6,
	size: 24,
	defect: { code: "IMAGE_ORPHAN", shard: "test_1", variant: null },
} satisfies SampleOptions;

/** What `irlake verify --json` says. */
interface Audit {
	code: number | null;
	ok: boolean;
	problems: { code: string; path: string; detail: string }[];
	repaired: { code: string; path: string }[];
	error: { code: string } | null;
}

export class Repairs {
	/** Each test's own. */
	lake = "";
	#lakes = 0;

	readonly lab: Lab;
	/** Digest of the lake while it is whole. */
	readonly good: string;

	constructor(lab: Lab, good: string) {
		this.lab = lab;
		this.good = good;
	}

	static async open(name: string): Promise<Repairs> {
		const lab = await Lab.open(name, SAMPLE);
		const { state } = await lab.mirror("good", "--max-reject-ratio", "1");
		if (state !== "published") throw new Error(`the lake to damage could not be made: ${state}`);
		return new Repairs(lab, digestOf(lab.path("good")));
	}

	/** A whole lake. */
	fresh(): void {
		this.#lakes += 1;
		this.lake = this.lab.path(`lake-${this.#lakes}`);
		cpSync(this.lab.path("good"), this.lake, { recursive: true });
	}

	async verify(args: string[] = ["--repair"], env: NodeJS.ProcessEnv = {}): Promise<Audit> {
		const end = await this.lab.run(["verify", "--lake", this.lake, "--json", ...args], env);
		return { code: end.code, ...JSON.parse(end.stdout) };
	}

	apply(damages: Damage[]): Damage[] {
		for (const { path, change } of damages) {
			const changed = change(readFileSync(join(this.lake, path)));
			if (changed === null) rmSync(join(this.lake, path));
			else writeFileSync(join(this.lake, path), changed);
		}
		return damages;
	}

	all(): Damage[] {
		return everyDamage(lakeFiles(this.lake));
	}

	objects(): Damage[] {
		return this.all().filter(({ code }) => code.startsWith("OBJECT_"));
	}
}

/** As `repaired` lists them. */
export function listed(damages: Damage[]): Pick<Damage, "code" | "path">[] {
	return damages.map(({ code, path }) => ({ code, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Repairs from this folder. */
export function source(folder: string): string[] {
	return ["--repair", "--source", `file://${folder}`];
}
