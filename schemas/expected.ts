import { z } from "zod";
import { FINDINGS, type FindingCode } from "./codes.js";
import { ShardName, Split } from "./records.js";

/** One entry of an `--expect` file: it expects every finding that equals all the fields it gives. */

const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];
/** Null is a value: what the finding has nothing of. */
const text = z.string("a text, or null").nullable().optional();
const ignored = z.unknown().optional();

const Fields = z.strictObject({
	code: z.enum(findingCodes, "no finding's code: see docs/codes.md"),
	/** `train_1`; or its number beside `split`, as the quarantine table has it. */
	shard: z.union([ShardName, z.int().positive()], "train_1, or a number beside split").optional(),
	split: Split.optional(),
	image_path: text,
	prompt_id: text,
	member: text,
	/** What else a row of the quarantine table, or of a failed shard's findings, has: permitted, not compared. */
	severity: ignored,
	detail: ignored,
	row: ignored,
	bytes: ignored,
	sha256: ignored,
	place: ignored,
});

/** With the shard by its full name; a `split` beside it says nothing more and is left out. */
export const ExpectedFinding = Fields.transform(({ code, shard, split, image_path, prompt_id, member }, context) => {
	const name = typeof shard === "number" ? `${split}_${shard}` : shard;
	if (typeof shard === "number" && split === undefined) {
		context.addIssue({ code: "custom", path: ["shard"], message: "a number says too little: give split as well" });
	} else if (name !== undefined && split !== undefined && !name.startsWith(`${split}_`)) {
		context.addIssue({ code: "custom", path: ["split"], message: `not that of ${name}` });
	}
	return { code, shard: name, split: name === undefined ? split : undefined, image_path, prompt_id, member };
});
export type ExpectedFinding = z.infer<typeof ExpectedFinding>;
