import type { FindingCode } from "../../schemas/codes.js";
import type { ExpectedFinding } from "../../schemas/expected.js";
import type { Dataset } from "../dataset.js";
import { shardParts } from "../shards.js";

/** What a finding is about, as far as an expectation can name it. Unknown fields are absent. */
export interface About {
	code: FindingCode;
	shard: string;
	image_path?: string | null;
	/** The value of the dataset's group column. */
	group?: string | null;
	member?: string | null;
}

const FIELDS = ["shard", "split", "image_path", "group", "member"] as const;
type Field = (typeof FIELDS)[number];

interface Entry {
	expected: ExpectedFinding;
	found: boolean;
}

/** The findings that are expected, and which of them were found. */
export class Expectations {
	/** Entries by the fields that they give, then by values: one lookup for each set of fields, however many entries. */
	readonly #sets = new Map<string, { fields: Field[]; entries: Map<string, Entry> }>();

	constructor(expected: ExpectedFinding[]) {
		for (const one of expected) {
			const fields = FIELDS.filter((field) => one[field] !== undefined);
			const set = this.#sets.get(fields.join()) ?? { fields, entries: new Map() };
			this.#sets.set(fields.join(), set);
			set.entries.set(keyOf(one, fields), { expected: one, found: false });
		}
	}

	/** Whether a finding equals all fields of some entry; each such entry counts as found. */
	expects(about: About): boolean {
		const values = { ...about, split: shardParts(about.shard).split };
		let expected = false;
		for (const { fields, entries } of this.#sets.values()) {
			if (fields.some((field) => values[field] === undefined)) continue;
			const entry = entries.get(keyOf(values, fields));
			if (!entry) continue;
			entry.found = true;
			expected = true;
		}
		return expected;
	}

	/** How many entries were not found, of those about these shards or about no particular shard. */
	notFound(dataset: Dataset, shards: string[]): number {
		const judged = new Set(shards);
		const splits = new Set(shards.map((shard) => shardParts(shard).split));
		const prefixes = shards.map((shard) => dataset.layout.rowPrefix(shard));
		let count = 0;
		for (const { entries } of this.#sets.values()) {
			for (const { expected, found } of entries.values()) {
				if (!found && isHere(expected, { judged, splits, prefixes })) count++;
			}
		}
		return count;
	}
}

/** Whether an entry is about one of the judged shards, or about no particular one. */
function isHere(
	{ shard, split, image_path }: ExpectedFinding,
	{ judged, splits, prefixes }: { judged: Set<string>; splits: Set<string>; prefixes: string[] },
): boolean {
	if (shard !== undefined) return judged.has(shard);
	if (typeof image_path === "string") return prefixes.some((prefix) => image_path.startsWith(prefix));
	return split === undefined || splits.has(split);
}

function keyOf(values: Partial<Record<Field, string | null | undefined>> & { code: string }, fields: Field[]): string {
	return JSON.stringify([values.code, ...fields.map((field) => values[field])]);
}
