import { cpSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { metadataPath } from "../../pipelines/splits.js";
import type { CliEnd } from "../support/cli.js";
import { Lab } from "../support/lab.js";
import { ROOT } from "../support/root.js";
import type { SampleOptions } from "../tools/sample/make.js";
import { type Digest, digestContent, digestExport, digestLake } from "./digest.js";

/** How each recorded lake is made, by the command line, from seeded samples at commits of fixed dates. */

export const GOLDEN_FILE: string = join(ROOT, "test/golden/golden.json");

/** One of each defect, over all three splits: fewer images would not take them all. */
const SAMPLE = {
	shards: ["train_1", "train_2", "train_5", "validation_1", "test_1"],
	images: 101,
	size: 48,
	seed: 1,
	defects: true,
} satisfies SampleOptions;
const SMALL = { shards: ["train_1", "validation_1", "test_1"], images: 24, size: 32, seed: 2 } satisfies SampleOptions;
const FIRST_DATE = "2024-03-04T05:06:07.000Z";
const SECOND_DATE = "2024-04-05T06:07:08.000Z";
/** Of few rows those of a defect are many. */
const LENIENT = ["--max-reject-ratio", "1"];
const EXPORTED = "all defects planted";

/** The sample on the Hub, and room for the lakes. */
export class GoldenLab {
	readonly #made = new Map<string, Promise<string>>();

	readonly lab: Lab;
	readonly more: string[];

	/** @param more arguments of every mirror; they must not change any byte, such as `--concurrency 1` */
	constructor(lab: Lab, more: string[]) {
		this.lab = lab;
		this.more = more;
	}

	static async open(more: string[] = []): Promise<GoldenLab> {
		return new GoldenLab(await Lab.open("golden", SAMPLE, { date: FIRST_DATE }), more);
	}

	close(): Promise<void> {
		return this.lab.close();
	}

	/** The lake of this name, made where it is not yet; its folder. */
	lake(name: string, ...args: string[]): Promise<string> {
		const known = this.#made.get(name) ?? this.#mirror(name, args);
		this.#made.set(name, known);
		return known;
	}

	async #mirror(name: string, args: string[]): Promise<string> {
		const document = await this.lab.mirror(name, ...args, ...this.more);
		if (document.exit_code !== 0) throw new Error(`${name}: ${JSON.stringify(document.error ?? document.shards)}`);
		return this.lab.path(name);
	}

	async export(format: string, ...args: string[]): Promise<Digest> {
		const lake = await this.lake(EXPORTED);
		const out = this.lab.path(["export", format, ...args].join(" "));
		requireExit(await this.lab.run(["export", format, "--lake", lake, "--out", out, ...args]), 0);
		return digestExport(out);
	}
}

function requireExit(end: CliEnd, code: number): void {
	if (end.code !== code) throw new Error(`irlake ended with ${end.code ?? end.signal}, not ${code}: ${end.stderr}`);
}

export interface Case {
	name: string;
	make: (golden: GoldenLab) => Promise<Digest>;
}

/** A lake of the sample on the Hub. */
function fromHub(name: string, ...args: string[]): Case {
	return { name, make: async (golden) => digestLake(await golden.lake(name, ...args)) };
}

/** A lake of the same sample in a folder. */
function fromFolder(name: string, folder: (lab: Lab) => Promise<string> | string): Case {
	return {
		name,
		make: async (golden) => {
			const source = `file://${await folder(golden.lab)}`;
			return digestContent(await golden.lake(name, "--source", source, ...LENIENT));
		},
	};
}

/** The same with a predicate; throws where the Hub did not serve parts of a zip. */
function byRanges(name: string, ...args: string[]): Case {
	return {
		name,
		make: async (golden) => {
			const { hub, source } = golden.lab;
			await hub.reset();
			const lake = await golden.lake(name, ...args, ...LENIENT);
			const { paths } = await hub.counters();
			const partly = SAMPLE.shards.map(imageRewardDb.layout.zipPath).filter((path) => {
				return (paths[path]?.bytes ?? 0) < statSync(join(source, path)).size / 2;
			});
			if (partly.length === 0) throw new Error("every zip was fetched whole: the case shows nothing");
			return digestLake(lake);
		},
	};
}

/**
 * Three snapshots: two shards; then all, of which one has changed and another cannot be read; then the first one's content
 * again. The logs have `add` and `remove`, and commits where nothing of a table changed.
 */
async function history({ more }: GoldenLab): Promise<Digest> {
	const lab = await Lab.open("golden-history", SMALL, { date: FIRST_DATE });
	try {
		const mirror = async (code: number, ...args: string[]) => {
			const document = await lab.mirror("lake", ...args, ...more);
			if (document.exit_code !== code) throw new Error(`mirror ${args.join(" ")}: ${JSON.stringify(document)}`);
		};
		await mirror(0, "--shards", "train_1,test_1");
		const defect = { code: "IMAGE_TRUNCATED", shard: "test_1", variant: null } as const;
		const other = await lab.variant("other", { seed: 3, defect });
		const changed = [imageRewardDb.layout.zipPath("test_1"), metadataPath(imageRewardDb, "test")];
		for (const path of changed) lab.replace(path, join(other, path));
		const unreadable = imageRewardDb.layout.zipPath("validation_1");
		const half = lab.path("half.zip");
		cpSync(join(lab.source, unreadable), half);
		truncateSync(half, Math.floor(statSync(half).size / 2));
		lab.replace(unreadable, half);
		await lab.hub.reload(SECOND_DATE);
		await mirror(3, "--on-shard-failure", "skip");
		requireExit(await lab.run(["rollback", "1", "--lake", lab.path("lake")]), 0);
		return digestLake(lab.path("lake"));
	} finally {
		await lab.close();
	}
}

/** An export of the first lake. */
function exported(name: string, format: string, ...args: string[]): Case {
	return { name, make: (golden) => golden.export(format, ...args) };
}

/** In this order the lakes that others need are there; each case can be made alone as well. */
export const CASES: readonly Case[] = [
	fromHub(EXPORTED),
	{ name: "three snapshots, a shard skipped, rolled back", make: history },
	byRanges("images chosen, read by ranges", "--where", "md5(image_path) < '20'"),
	byRanges("prompts chosen, read by ranges", "--where", "md5(prompt_id) < '20'", "--where-mode", "prompt"),
	fromHub("groups dropped, rejected images kept", "--on-bad-image", "drop-group", "--keep-rejected", ...LENIENT),
	fromHub("re-encoded as lossless WebP", "--image", "webp-lossless"),
	fromHub("re-encoded as JPEG, smaller", "--image", "jpeg", "--quality", "80", "--max-side", "32"),
	fromHub("verified by structure", "--verify", "structure", ...LENIENT),
	fromFolder("a folder of zips", ({ source }) => source),
	fromFolder("an unpacked folder", (lab) => lab.variant("unpacked", { layout: "unpacked" })),
	exported("exported as hf", "hf"),
	exported("exported as hf, pairs embedded", "hf", "--pairs", "embed"),
	exported("exported as webdataset", "webdataset", "--shard-size", "300kB"),
	exported("exported as imagereward", "imagereward"),
	exported("exported as files", "files"),
];
