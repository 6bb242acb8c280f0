import { z } from "zod";
import { FINDINGS, type FindingCode } from "./codes.js";

/** One entry of an `--expect` file: it expects every finding that equals all the fields it gives. */

const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];
/** Null is a value: what the finding has nothing of. */
const text = z.string("a text, or null").nullable().optional();
const ignored = z.unknown().optional();

const own = {
	code: z.enum(findingCodes, "no finding's code: see docs/codes.md"),
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

/** What entries may say of a dataset: the column of its groups, and its splits. */
interface ExpectedNames {
	group: string | null;
	splits: string[];
}

/** The schema of an entry. */
export function expectedFinding({ group: groupColumn, splits }: ExpectedNames): z.ZodType<ExpectedFinding> {
	const example = `${splits[0]}_1`;
	const shardName = z
		.string()
		.regex(new RegExp(`^(${splits.join("|")})_[1-9]\\d*$`), `a shard's name, such as ${example}`);
	const fields = z.strictObject({
		...own,
		/** Its full name; or its number beside `split`, as the quarantine table has it. */
		shard: z.union([shardName, z.int().positive()], `${example}, or a number beside split`).optional(),
		split: z.enum(splits).optional(),
		...(groupColumn === null ? {} : { [groupColumn]: text }),
	});
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
