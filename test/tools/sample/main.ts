import { parseArgs } from "node:util";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import type { WantedDefect } from "./fatal.js";
import { makeSample, plantedFile, type SampleOptions } from "./make.js";
import { LAYOUTS, type Layout } from "./write-shard.js";

const USAGE = `Usage: npm run sample -- DIR [options]

Writes a folder in the layout of ImageRewardDB's repository. Same options, same bytes.

  --shards LIST      train_1-4,test_1 (default: all 36; with --from test_1,test_2)
  --all              all 36 shards
  --images N         images a shard (default 12; with --defects as many as they need)
  --seed S           default 1
  --size PIXELS      side of the pictures (default 512)
  --layout NAME      ${LAYOUTS.join(" | ")} (default zip)
  --deflate          pack the pictures in the zips too
  --from DIR         real prompts, rankings and pixels: ../shared/data/imagereward
  --defects          plant one of every row, image and warn code
  --defect CODE[:SHARD]   plant one code
  --variant NAME     which way of --defect
  --planted FILE     where to write down what was planted (default: DIR.planted.json)

Examples:
  npm run sample -- /tmp/sample --shards train_1-2,test_1
  npm run sample -- /tmp/real --from ../shared/data/imagereward
  npm run sample -- /tmp/bad --shards train_1-4 --defects
  npm run sample -- /tmp/bad --shards train_1-4 --defect ZIP_UNSAFE:train_2 --variant symlink
`;

const { values, positionals } = readArguments();

function readArguments() {
	try {
		return parseArgs({
			allowPositionals: true,
			options: {
				shards: { type: "string" },
				all: { type: "boolean" },
				images: { type: "string" },
				seed: { type: "string" },
				size: { type: "string" },
				layout: { type: "string" },
				deflate: { type: "boolean" },
				from: { type: "string" },
				defects: { type: "boolean" },
				defect: { type: "string" },
				variant: { type: "string" },
				planted: { type: "string" },
				help: { type: "boolean", short: "h" },
			},
		});
	} catch (error) {
		fail(error instanceof Error ? error.message : String(error), USAGE);
	}
}

function fail(message: string, hint: string): never {
	process.stderr.write(`${message}\n${hint}\n`);
	process.exit(2);
}

/** `train_1-4,test_1` → the five names. */
function shardList(text: string): string[] {
	return text.split(",").flatMap((part) => {
		const range = /^([a-z]+)_(\d+)-(\d+)$/.exec(part);
		if (!range) return [part];
		const [, split = "", first = "", last = ""] = range;
		const count = Number(last) - Number(first) + 1;
		return Array.from({ length: Math.max(0, count) }, (_, at) => `${split}_${Number(first) + at}`);
	});
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	if (!/^\d+$/.test(text)) throw new LakeError("USAGE", `--${name} must be a whole number.`);
	return Number(text);
}

function isFinding(code: string): code is FindingCode {
	return Object.hasOwn(FINDINGS, code) && code !== "GROUP_DROPPED";
}

function wantedDefect(text: string, variant: string | undefined): WantedDefect {
	const [code = "", shard] = text.split(":");
	if (!isFinding(code)) {
		throw new LakeError("USAGE", `--defect knows no code ${code}.`, { hint: Object.keys(FINDINGS).join(", ") });
	}
	return { code, shard: shard ?? null, variant: variant ?? null };
}

function isLayout(name: string): name is Layout {
	return LAYOUTS.some((layout) => layout === name);
}

/** Only what was given: absent options have their defaults in `makeSample`. */
function sampleOptions(): SampleOptions {
	const options: SampleOptions = {};
	if (values.shards !== undefined) options.shards = shardList(values.shards);
	if (values.all) options.shards = shardList("train_1-32,validation_1-2,test_1-2");
	const images = wholeNumber("images", values.images);
	if (images !== undefined) options.images = images;
	const seed = wholeNumber("seed", values.seed);
	if (seed !== undefined) options.seed = seed;
	const size = wholeNumber("size", values.size);
	if (size !== undefined) options.size = size;
	if (values.layout !== undefined) {
		if (!isLayout(values.layout)) throw new LakeError("USAGE", `--layout must be one of ${LAYOUTS.join(", ")}.`);
		options.layout = values.layout;
	}
	if (values.deflate) options.deflate = true;
	if (values.from !== undefined) options.from = values.from;
	if (values.defects) options.defects = true;
	if (values.defect !== undefined) options.defect = wantedDefect(values.defect, values.variant);
	if (values.planted !== undefined) options.planted = values.planted;
	return options;
}

if (values.help) {
	process.stdout.write(USAGE);
	process.exit(0);
}
const [dir, ...others] = positionals;
if (dir === undefined || others.length > 0) fail("Name one folder to write to.", USAGE);
try {
	const made = await makeSample(dir, sampleOptions());
	const shards = Object.values(made.shards);
	const images = shards.reduce((sum, { counts }) => sum + counts.members_in, 0);
	process.stdout.write(`${dir}: ${shards.length} shards, ${images} images\n`);
	if (made.planted.length > 0) {
		process.stdout.write(`${made.planted.length} defects planted: ${values.planted ?? plantedFile(dir)}\n`);
	}
} catch (error) {
	if (!(error instanceof LakeError)) throw error;
	fail(error.message, error.hint);
}
