import { expect, test } from "@jest/globals";
import { deltaCommit } from "../../../../pipelines/lake/delta-log.js";
import { type Column, type ColumnType, columns, PARTITION_COLUMNS } from "../../../../schemas/tables.js";
import { snapshot } from "../../../support/values.js";

/** Every type of column has its name in Delta Lake's schema (PROTOCOL.md, "Schema Serialization Format"). */

const nested: readonly Column[] = [
	...columns("text", "name"),
	...columns("real", "score"),
	...columns("timestamp", "seen"),
	{ name: "parts", type: { list: columns("byte", "part") } },
];

const field = (name: string, type: unknown) => ({ name, type, nullable: true, metadata: {} });
const listOf = (...fields: object[]) => {
	return { type: "array", elementType: { type: "struct", fields }, containsNull: true };
};

const types: [name: string, type: ColumnType, delta: unknown][] = [
	["text", "text", "string"],
	["byte", "byte", "byte"],
	["integer", "integer", "integer"],
	["long", "long", "long"],
	["real", "real", "float"],
	["double", "double", "double"],
	["timestamp", "timestamp", "timestamp"],
	["texts", "texts", { type: "array", elementType: "string", containsNull: true }],
	[
		"list",
		{ list: nested },
		listOf(
			field("name", "string"),
			field("score", "float"),
			field("seen", "timestamp"),
			field("parts", listOf(field("part", "byte"))),
		),
	],
];

function schemaOf(table: Column[]): unknown {
	const commit = deltaCommit(
		{ name: "some", columns: table, key: [] },
		null,
		snapshot(1, "c1", []),
		"snapshots/1.json",
	);
	const actions = commit.toString("utf8").trim().split("\n");
	const metaData = actions.map((line) => JSON.parse(line) as { metaData?: { schemaString: string } })[2]?.metaData;
	return JSON.parse(metaData?.schemaString ?? "null");
}

const partition = PARTITION_COLUMNS.map(({ name }) => field(name, name === "split" ? "string" : "integer"));

test.each(types)("%s", (name, type, delta) => {
	expect(schemaOf([{ name, type }])).toEqual({ type: "struct", fields: [field(name, delta), ...partition] });
});

test("all of them stand in the table's order, the partition columns last", () => {
	const all = types.map(([name, type]) => ({ name, type }));
	const fields = types.map(([name, , delta]) => field(name, delta));
	expect(schemaOf(all)).toEqual({ type: "struct", fields: [...fields, ...partition] });
});
