/** No object literal is spread into another: it only fits several properties on one line, and hides them from a reader. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { ROOT } from "../support/root.js";

/** Written so that this file has none itself. */
const LITERAL_SPREAD = /[.]{3}\s*\{/g;

function spreadsIn(path: string): string[] {
	const source = readFileSync(join(ROOT, path), "utf8");
	return [...source.matchAll(LITERAL_SPREAD)].map(
		({ index }) => `${path}:${source.slice(0, index).split("\n").length}`,
	);
}

test("an object literal's properties stand in it, one a line", () => {
	const paths = ["schemas", "pipelines", "workers", "infra", "test"].flatMap((folder) =>
		readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
	);
	expect(paths.filter((path) => path.endsWith(".ts")).flatMap(spreadsIn)).toEqual([]);
});

test.each([
	["on one line", "f({ ..." + "{ a, b }, c })", true],
	["over several lines", "f({\n\t..." + "{\n\t\ta,\n\t},\n})", true],
	["of a variable", "f({ ...rest, c })", false],
	["where a condition chooses", "f({ ...(c === undefined ? {} : { c }) })", false],
])("%s", (_, source, found) => {
	expect([...source.matchAll(LITERAL_SPREAD)].length > 0).toBe(found);
});
