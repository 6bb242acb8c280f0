import { z } from "zod";
import { FINDINGS, type FindingCode } from "./codes.js";
import { ShardName, Split } from "./records.js";

/** One entry of an `--expect` file: it expects every finding that equals all the fields it gives. */

const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];
/** Null is a value: what the finding has nothing of. */
const text = z.string("a text, or null").nullable().optional();
const ignored = z.unknown().optional();

const own = {
	code: z.enum(findingCodes, "no finding's code: see docs/codes.md"),
	/** Its full name; or its number beside `split`, as the quarantine table has it. */
	shard: z.union([ShardName, z.int().positive()], "a shard's name, or a number beside split").optional(),
	split: Split.optional(),
	image_path: text,
	member: text,
	/** What else a row of the quarantine table, or of a failed shard's findings, has: permitted, not compared. */
	severity: ignored,
	detail: ignored,
	row: ignored,
	bytes: ignored,
	sha256: ignored,
	place: ignored,
};

export interface ExpectedFinding {
	code: FindingCode;
	/** By its full name; a `split` beside it says nothing more and is left out. */
	shard: string | undefined;
	split: string | undefined;
	image_path: string | null | undefined;
	/** The value of the dataset's group column. */
	group: string | null | undefined;
	member: string | null | undefined;
}

/** The schema of an entry, where quarantine has this group column. */
export function expectedFinding(groupColumn: string | null): z.ZodType<ExpectedFinding> {
	const fields = z.strictObject(groupColumn === null ? own : { ...own, [groupColumn]: text });
	return fields.transform((given, context) => {
		const { code, shard, split, image_path, member } = given;
		const name = typeof shard === "number" ? `${split}_${shard}` : shard;
		if (typeof shard === "number" && split === undefined) {
			context.addIssue({ code: "custom", path: ["shard"], message: "a number says too little: give split as well" });
		} else if (name !== undefined && split !== undefined && !name.startsWith(`${split}_`)) {
			context.addIssue({ code: "custom", path: ["split"], message: `not that of ${name}` });
		}
		// The schema above has checked it to be a text, null, or absent.
		const group = groupColumn === null ? undefined : (given as Record<string, unknown>)[groupColumn];
		return {
			code,
			shard: name,
			split: name === undefined ? split : undefined,
			image_path,
			group: group as ExpectedFinding["group"],
			member,
		};
	});
}
