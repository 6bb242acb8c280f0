import { crc32, deflateRawSync } from "node:zlib";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { shardParts } from "../../../pipelines/shards.js";
import { metadataPath } from "../../../pipelines/splits.js";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import type { FaultOrder } from "../hub/faults.js";
import { DEFECTS } from "./defects.js";
import type { MetadataDamage } from "./metadata.js";
import { countFinding, fileNameOf, type PlantedDefect, rowsOf, type ShardPlan } from "./plan.js";
import { plantDefects } from "./plant.js";

/** A defect asked for by its code. */
export interface WantedDefect {
	code: FindingCode;
	/** Null: the first shard made; for a defect of a row or an image, any. */
	shard: string | null;
	/** Null: the first of the code's variants; of a row or an image: all of them. */
	variant: string | null;
}

interface FatalPlan {
	/** The variant that is planted when none is named stands first. */
	variants: Record<string, (plan: ShardPlan, metadata: Map<string, MetadataDamage>) => void>;
	note: string;
	zipOnly?: true;
}

const EVIL = Buffer.from("nobody should unpack this\n");
/** Just over the limit of an entry, 256 MiB. */
const BOMB_BYTES = 257 * 2 ** 20;

/** Adds an entry after the honest ones. */
function extraEntry(name: string, mode?: number) {
	return (plan: ShardPlan) => {
		plan.zip.extra = [{ name, content: EVIL, ...(mode === undefined ? {} : { lies: { mode } }) }];
	};
}

function firstMember(plan: ShardPlan): string {
	return [...plan.members.keys()].sort()[0] ?? "";
}

function metadataDamage(damage: MetadataDamage): FatalPlan["variants"][string] {
	return (plan, metadata) => metadata.set(shardParts(plan.shard).split, damage);
}

const ZIP_UNSAFE: FatalPlan["variants"] = {
	traversal: extraEntry("../escaped.webp"),
	absolute: extraEntry("/tmp/escaped.webp"),
	symlink: (plan) => {
		plan.zip.extra = [{ name: "link.webp", content: Buffer.from("../../../etc/hostname"), lies: { mode: 0o120777 } }];
	},
	duplicate: (plan) => {
		plan.zip.extra = [{ name: firstMember(plan), content: EVIL }];
	},
	overlap: (plan) => {
		const content = Buffer.from("shared by two entries\n");
		plan.zip.extra = [
			{ name: "first.webp", content },
			{ name: "second.webp", content, lies: { offsetOf: "first.webp" } },
		];
	},
	bomb: (plan) => {
		const zeros = Buffer.alloc(BOMB_BYTES);
		const lies = { method: 8, packed: deflateRawSync(zeros), crc32: crc32(zeros), bytes: zeros.length };
		plan.zip.extra = [{ name: "bomb.webp", content: Buffer.alloc(0), lies }];
	},
	backslash: extraEntry("..\\escaped.webp"),
	nul: extraEntry("escaped.webp\0.txt"),
	prefix: (plan) => {
		plan.zip.prefix = Buffer.from("#!/bin/sh\necho a zip that unpacks itself\n");
	},
};

/** Replaces the rows' text once they are written out. */
function jsonText(change: (text: string) => string | null): FatalPlan["variants"][string] {
	return (plan) => {
		plan.jsonText = change;
	};
}

const FATAL: Partial<Record<FindingCode, FatalPlan>> = {
	SHARD_MISSING: {
		note: "the shard has no file; its metadata rows are there",
		variants: {
			absent: (plan) => {
				plan.absent = true;
			},
		},
	},
	METADATA_MISSING: {
		note: "the split's metadata is absent or no parquet",
		variants: { absent: metadataDamage("absent"), unreadable: metadataDamage("unreadable") },
	},
	METADATA_SCHEMA_DRIFT: {
		note: "the column rank is a double, renamed, or missing",
		variants: {
			type: metadataDamage("rank-double"),
			renamed: metadataDamage("rank-renamed"),
			missing: metadataDamage("rank-missing"),
		},
	},
	SHARD_HASH_MISMATCH: {
		note: "the folder is good: the Hub must serve other bytes than it lists",
		variants: { "wrong-bytes": () => {} },
		zipOnly: true,
	},
	ZIP_CORRUPT: {
		note: "the zip ends early, or holds more entries than its end record says",
		variants: {
			truncated: (plan) => {
				plan.zip.keep = 0.9;
			},
			count: (plan) => {
				plan.zip.countError = -2;
			},
		},
		zipOnly: true,
	},
	ZIP_UNSAFE: {
		note: "an entry, or what is before the first, that no honest zip has",
		variants: ZIP_UNSAFE,
		zipOnly: true,
	},
	JSON_MISSING: { note: "the shard has no JSON", variants: { absent: jsonText(() => null) } },
	JSON_INVALID: {
		note: "the shard's JSON cannot be read as an array of rows",
		variants: {
			nan: jsonText((text) => text.replace(/"overall_rating": \d+/, '"overall_rating": NaN')),
			"trailing-comma": jsonText((text) => text.replace(/\}\s*\]\s*$/, "},\n]\n")),
			"not-array": jsonText((text) => `{"rows": ${text}}\n`),
			empty: jsonText(() => "[]\n"),
		},
	},
	REJECT_RATIO_EXCEEDED: {
		note: "just over 5 % of the shard's images are empty",
		variants: { empty: emptyImages },
	},
};

/** Empties one image more than 5 % of the rows. */
function emptyImages(plan: ShardPlan): void {
	const rows = rowsOf(plan);
	const count = Math.floor(rows.length * 0.05) + 1;
	for (const row of rows.slice(0, count)) {
		const member = plan.members.get(fileNameOf(row));
		if (!member) continue;
		member.change = () => Buffer.alloc(0);
		member.fate = "rejected";
		row.rejected = true;
	}
	countFinding(plan, "IMAGE_EMPTY", count);
}

/**
 * Plants the defect asked for: of a fatal code one variant, in one shard; of any other code each of its variants.
 * @param metadata the damage to each split's metadata is noted here
 * @throws USAGE when code, shard or variant do not fit what is made
 */
export function plantWanted(
	plans: ShardPlan[],
	wanted: WantedDefect,
	metadata: Map<string, MetadataDamage>,
	zips: boolean,
	seed: number,
): void {
	const targets = plans.filter(({ shard }) => wanted.shard === null || wanted.shard === shard);
	const [plan] = targets;
	if (!plan) throw new LakeError("USAGE", `The shard ${wanted.shard} of --defect is not among those made.`);
	const fatal = FATAL[wanted.code];
	const known = fatal ? Object.keys(fatal.variants) : variantsOf(wanted.code);
	const variant = wanted.variant ?? known[0] ?? "";
	if (!known.includes(variant)) {
		throw new LakeError("USAGE", `--defect ${wanted.code} has no variant ${wanted.variant}.`, {
			hint: `It has: ${known.join(", ") || "none"}.`,
		});
	}
	if (!fatal) {
		const defects = DEFECTS.filter(({ code }) => code === wanted.code);
		const some = defects.filter((defect) => wanted.variant === null || wanted.variant === defect.variant);
		plantDefects(targets, some, zips, seed);
		return;
	}
	if (fatal.zipOnly && !zips) throw new LakeError("USAGE", `--defect ${wanted.code} needs a layout of zips.`);
	fatal.variants[variant]?.(plan, metadata);
	plan.fatal = wanted.code;
	plan.planted.push(plantedFatal(plan.shard, wanted.code, variant, fatal.note));
}

function variantsOf(code: FindingCode): string[] {
	return DEFECTS.filter((defect) => defect.code === code).map(({ variant }) => variant);
}

function plantedFatal(shard: string, code: FindingCode, variant: string, note: string): PlantedDefect {
	const ofMetadata = code.startsWith("METADATA_");
	const path = ofMetadata ? metadataPath(imageRewardDb, shardParts(shard).split) : imageRewardDb.layout.zipPath(shard);
	return {
		code,
		variant,
		shard: ofMetadata ? null : shard,
		image_path: null,
		prompt_id: null,
		member: path,
		note,
		...(code === "SHARD_HASH_MISMATCH" ? { hub_fault: wrongBytes(path) } : {}),
	};
}

/** Wrong in the first download and in the whole one that must follow. */
function wrongBytes(path: string): FaultOrder {
	return { match: { route: "cdn", path }, times: 2, kind: "wrong-bytes", bytes: 1000 };
}

/** Whether the code ends the run before any work. */
export function endsTheRun(code: FindingCode): boolean {
	return FINDINGS[code].level === "run";
}
