import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { ROOT } from "../support/root.js";
import { codesPage, commandsPage } from "../tools/docs/pages.js";

/** The pages and the help texts made from code say what the code does. */

test("the pages of docs/ that are made from code are what the code says", () => {
	expect(readFileSync(join(ROOT, "docs/codes.md"), "utf8")).toBe(codesPage());
	expect(readFileSync(join(ROOT, "docs/commands.md"), "utf8")).toBe(commandsPage());
});

test("help fits into 80 columns", () => {
	const helps = commandsPage()
		.split("```")
		.filter((part) => part.startsWith("text\n"));
	const long = helps.flatMap((help) => help.split("\n").filter((line) => line.length > 80));
	expect(long).toEqual([]);
});
