import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FindingCode } from "../../../schemas/codes.js";
import { ROOT } from "../../support/root.js";
import type { Specimen, SpecimenShard } from "./plan.js";
import { pngOf } from "./png.js";
import { STYLES } from "./row.js";

/** Defects for the first rows of a shard, and the findings that each must come to. */

const SIGNATURE_AND_A_PART = 20;
const WEBP = "test/fixtures/images/with-xmp.OK.webp";

function count({ findings }: SpecimenShard, code: FindingCode, more = 1): void {
	findings[code] = (findings[code] ?? 0) + more;
}

/** Rejects a row with its image. */
function reject(shard: SpecimenShard, specimen: Specimen, code: FindingCode): void {
	specimen.rejected = true;
	specimen.fate = "rejected";
	count(shard, code);
}

type Change = (specimen: Specimen, shard: SpecimenShard) => void;

function badImage(code: FindingCode, spoil: (image: Buffer) => Buffer): Change {
	return (specimen, shard) => {
		specimen.image = spoil(specimen.image ?? Buffer.alloc(0));
		reject(shard, specimen, code);
	};
}

const IMAGES: readonly Change[] = [
	badImage("IMAGE_NOT_PNG", () => readFileSync(join(ROOT, WEBP))),
	badImage("IMAGE_EMPTY", () => Buffer.alloc(0)),
	badImage("IMAGE_TOO_LARGE", () => pngOf("grey", 8001, 8001, Buffer.alloc(9))),
	badImage("IMAGE_UNDECODABLE", (image) => pngOf("rgb", 9, 8, image.subarray(41, 60))),
	badImage("IMAGE_TRUNCATED", (image) => image.subarray(0, SIGNATURE_AND_A_PART)),
	(specimen, shard) => {
		specimen.image = null;
		reject(shard, specimen, "IMAGE_MISSING");
	},
	(specimen, shard) => {
		const name = specimen.name.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
		shard.orphans.push({ name, image: specimen.image ?? Buffer.alloc(0) });
		count(shard, "IMAGE_ORPHAN");
	},
];

/** The next number that 32 bits of floating point hold. */
function nextFloat(value: number): number {
	const bits = new DataView(new ArrayBuffer(4));
	bits.setFloat32(0, value);
	bits.setUint32(0, bits.getUint32(0) + 1);
	return bits.getFloat32(0);
}

const METADATA: readonly Change[] = [
	(specimen, shard) => {
		if (specimen.metadata) specimen.metadata.style_code = (specimen.metadata.style_code % STYLES.length) + 1;
		reject(shard, specimen, "ROW_DIFFERS_FROM_METADATA");
	},
	(specimen, shard) => {
		if (specimen.metadata) specimen.metadata.weight = nextFloat(specimen.metadata.weight);
		reject(shard, specimen, "ROW_DIFFERS_FROM_METADATA");
	},
	// No number of 32 bits is 0.1: its nearest is what both mean.
	(specimen) => {
		specimen.json.w = 0.1;
		if (specimen.metadata) specimen.metadata.weight = Math.fround(0.1);
	},
	(specimen, shard) => {
		specimen.metadata = null;
		reject(shard, specimen, "ROW_NOT_IN_METADATA");
	},
	(specimen, shard) => {
		const name = specimen.name.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
		if (specimen.metadata) shard.extra.push({ ...specimen.metadata, image_name: name });
		count(shard, "METADATA_EXTRA_ROW");
	},
];

/** A further entry with the same key. */
function again(specimen: Specimen, shard: SpecimenShard, json: Specimen["json"]): Specimen {
	const other = { ...specimen, json, image: null, metadata: null, rejected: true };
	shard.specimens.push(other);
	return other;
}

const JSON_ROWS: readonly Change[] = [
	(specimen, shard) => {
		again(specimen, shard, specimen.json);
		count(shard, "ROW_DUPLICATE");
	},
	(specimen, shard) => {
		reject(shard, specimen, "ROW_DUPLICATE");
		again(specimen, shard, { ...specimen.json, t: "something else" });
		count(shard, "ROW_DUPLICATE");
	},
	(specimen, shard) => {
		specimen.name = `Copy of ${specimen.name}`;
		if (specimen.metadata) specimen.metadata.image_name = specimen.name;
		reject(shard, specimen, "ROW_PATH");
	},
	(specimen, shard) => {
		delete specimen.json.n;
		reject(shard, specimen, "ROW_SCHEMA");
	},
	(specimen, shard) => {
		specimen.json.mood = "calm";
		count(shard, "UNKNOWN_COLUMN");
	},
	(specimen, shard) => {
		specimen.json.w = -0.5;
		if (specimen.metadata) specimen.metadata.weight = -0.5;
		count(shard, "RATING_RANGE");
	},
];

/** What is planted in the first, the second and the third shard. */
export const DEFECTS: readonly (readonly Change[])[] = [IMAGES, METADATA, JSON_ROWS];

/** Images that a shard needs to take any of them. */
export const FEWEST = Math.max(...DEFECTS.map((changes) => changes.length));

export function plantDefects(shards: SpecimenShard[]): void {
	for (const [at, changes] of DEFECTS.entries()) {
		const shard = shards[at];
		if (!shard) throw new RangeError(`the defects need ${DEFECTS.length} shards`);
		const specimens = [...shard.specimens];
		for (const [place, change] of changes.entries()) {
			const specimen = specimens[place];
			if (!specimen) throw new RangeError(`${shard.shard} needs ${FEWEST} images to take its defects`);
			change(specimen, shard);
		}
	}
}
