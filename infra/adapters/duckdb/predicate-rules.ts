import { z } from "zod";

/** What a predicate may consist of, and why others are refused. Pure: works on DuckDB's serialized syntax tree. */

/** What is wrong with an expression; `at` is the position in characters of the parsed text, if it is known. */
export interface Fault {
	what: string;
	at: number | null;
}

/**
 * Functions that give the same result for the same arguments, on every machine and in every time zone. It is an
 * allow-list, because DuckDB also marks functions as stable that read the clock (`age`, `current_localtimestamp`) or
 * settings (`current_setting`).
 */
export const FUNCTIONS: ReadonlySet<string> = new Set([
	...["+", "-", "*", "/", "//", "%", "**", "||", "abs", "ceil", "ceiling", "floor", "round", "sign", "sqrt", "pow"],
	...["power", "mod", "greatest", "least", "trunc", "even"],
	...["~~", "!~~", "~~*", "!~~*", "~~~", "^@", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"],
	...[
		"regexp_full_match",
		"regexp_matches",
		"regexp_extract",
		"regexp_replace",
		"contains",
		"starts_with",
		"ends_with",
	],
	...["prefix", "suffix", "instr", "strpos", "position", "lower", "lcase", "upper", "ucase", "length", "len", "strlen"],
	...["char_length", "character_length", "bit_length", "octet_length", "left", "right", "substr", "substring", "trim"],
	...["ltrim", "rtrim", "replace", "reverse", "concat", "concat_ws", "translate", "ascii"],
	...["chr", "unicode", "ord", "strip_accents", "nfc_normalize", "levenshtein", "md5", "sha256"],
	...["hash", "md5_number", "xor", "&", "|", "<<", ">>"],
]);

const NODES: ReadonlySet<string> = new Set([
	...["CONJUNCTION", "COMPARISON", "BETWEEN", "OPERATOR", "CASE", "CAST", "COLUMN_REF", "CONSTANT", "FUNCTION"],
]);

/** Why functions that are in no list are refused. */
const REFUSED: Readonly<Record<string, string>> = {
	SUBQUERY: "a subquery is no part of it: it sees one row at a time",
	WINDOW: "a window function is no part of it: it sees one row at a time",
	STAR: "* is no expression",
	PARAMETER: "a parameter has no value here",
	LAMBDA: "a lambda is no part of it",
	COLLATE: "COLLATE is no part of it: use lower() or ILIKE",
};

const Serialized = z.union([
	/** `position` is in characters, though a node's `query_location` is in bytes. */
	z.object({ error: z.literal(true), position: z.string().optional() }),
	z.object({ error: z.literal(false), statements: z.array(z.object({ node: z.unknown() })) }),
]);

/** All the fields of a serialized `SELECT (…)` that selects a single expression and does nothing else. */
const LoneExpression = z.strictObject({
	type: z.literal("SELECT_NODE"),
	select_list: z.tuple([z.record(z.string(), z.unknown())]),
	from_table: z.looseObject({ type: z.literal("EMPTY") }),
	aggregate_handling: z.literal("STANDARD_HANDLING"),
});

/**
 * What is wrong with a statement, as serialized by `json_serialize_sql` with empty fields skipped; null if nothing is.
 */
export function faultOf(statement: string, serialized: unknown, columns: readonly string[]): Fault | null {
	const parsed = Serialized.parse(serialized);
	if (parsed.error) return { what: "it cannot be read", at: parsed.position ? Number(parsed.position) : null };
	const [first, ...more] = parsed.statements;
	const lone = LoneExpression.safeParse(first?.node);
	if (!lone.success || more.length > 0) return { what: "it must be one expression and nothing else", at: null };
	const known = new Set(columns);
	for (const node of nodesOf(lone.data.select_list[0])) {
		const what = nodeFault(node, known);
		const { query_location: bytes } = node;
		if (what !== null) return { what, at: typeof bytes === "number" ? characters(statement, bytes) : null };
	}
	return null;
}

function characters(text: string, bytes: number): number {
	return Buffer.from(text).subarray(0, bytes).toString().length;
}

type Node = Record<string, unknown>;

/** Every object that is an expression, outer ones first. */
function* nodesOf(value: unknown): Generator<Node> {
	if (typeof value !== "object" || value === null) return;
	if ("class" in value) yield value as Node;
	for (const inner of Object.values(value)) yield* nodesOf(inner);
}

function nodeFault(node: Node, columns: ReadonlySet<string>): string | null {
	const kind = String(node.class);
	if (!NODES.has(kind)) return REFUSED[kind] ?? `${kind.toLowerCase().replaceAll("_", " ")} is no part of it`;
	if (kind === "COLUMN_REF") {
		const name = [node.column_names].flat().join(".");
		return columns.has(name.toLowerCase()) ? null : `there is no column ${name}`;
	}
	if (kind !== "FUNCTION") return null;
	const name = String(node.function_name);
	return FUNCTIONS.has(name.toLowerCase()) ? null : `the function ${name} cannot be used`;
}
