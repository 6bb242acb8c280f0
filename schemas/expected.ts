import { z } from "zod";
import { FINDINGS, type FindingCode } from "./codes.js";

/** One entry of an `--expect` file: it expects every finding with the same values in all the fields it gives. */

const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];
/** Null is a value too: the finding has nothing there. */
const text = z.string("a text, or null").nullable().optional();
const ignored = z.unknown().optional();

const own = {
	code: z.enum(findingCodes, "no finding's code: see docs/codes.md"),
	image_path: text,
	member: text,
	/** Further fields of a quarantine row or of a failed shard's finding: permitted, not compared. */
	severity: ignored,
	detail: ignored,
	row: ignored,
	bytes: ignored,
	sha256: ignored,
	place: ignored,
};

export interface ExpectedFinding {
	code: FindingCode;
	/** By its full name; a `split` beside it adds nothing and is left out. */
	shard: string | undefined;
	split: string | undefined;
	image_path: string | null | undefined;
	/** Value of the dataset's group column. */
	group: string | null | undefined;
	member: string | null | undefined;
}

/** The parts of a dataset that entries can name: its group column and its splits. */
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
		/** Its full name, or its number beside a `split`, as in the quarantine table. */
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
		// The schema above has checked that it is a text, null, or absent.
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
