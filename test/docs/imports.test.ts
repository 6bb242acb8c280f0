import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { ROOT } from "../support/root.js";

/** No file, and no folder beside another, needs itself by way of others: imports of types count as well. */

const TOP = ["schemas", "pipelines", "infra", "workers"];

/** Every source file, by its path from the root, with the paths of those it imports. */
function readImports(): Map<string, string[]> {
	const files = TOP.flatMap((top) => {
		const names = readdirSync(join(ROOT, top), { recursive: true, encoding: "utf8" });
		// The decoder's sources are compiled by themselves.
		return names.filter((name) => name.endsWith(".ts") && !name.includes("vp8l/")).map((name) => `${top}/${name}`);
	});
	const known = new Set(files);
	return new Map(files.map((file) => [file, importsOf(file).filter((path) => known.has(path))]));
}

function importsOf(file: string): string[] {
	const text = readFileSync(join(ROOT, file), "utf8");
	const found = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g);
	return [...found].map(([, path = ""]) => `${join(dirname(file), path)}.ts`);
}

/** The names on one cycle of a graph, or null when there is none. */
function cycleIn(graph: Map<string, Iterable<string>>): string[] | null {
	const done = new Set<string>();
	const visit = (node: string, path: string[]): string[] | null => {
		if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
		if (done.has(node)) return null;
		for (const next of graph.get(node) ?? []) {
			const cycle = visit(next, [...path, node]);
			if (cycle) return cycle;
		}
		done.add(node);
		return null;
	};
	for (const node of graph.keys()) {
		const cycle = visit(node, []);
		if (cycle) return cycle;
	}
	return null;
}

/** Folders in `parent`, each with those beside it that its files import. */
function siblings(imports: Map<string, string[]>, parent: string): Map<string, Set<string>> {
	const folderOf = (file: string): string | null => {
		const rest = file.startsWith(`${parent}/`) ? file.slice(parent.length + 1) : "";
		return rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : null;
	};
	const graph = new Map<string, Set<string>>();
	for (const [file, paths] of imports) {
		const own = folderOf(file);
		if (own === null) continue;
		const others = graph.get(own) ?? new Set();
		graph.set(own, others);
		for (const path of paths) {
			const other = folderOf(path);
			if (other !== null && other !== own) others.add(other);
		}
	}
	return graph;
}

const imports = readImports();

test("no file imports itself by way of others", () => {
	expect(imports.size).toBeGreaterThan(200);
	expect(cycleIn(imports)).toBeNull();
});

const parents = new Set([...imports.keys()].flatMap((file) => [dirname(dirname(file)), dirname(file)]));
test.each([...parents].filter((parent) => TOP.some((top) => parent.startsWith(top))))(
	"no folder of %s imports itself by way of those beside it",
	(parent) => expect(cycleIn(siblings(imports, parent))).toBeNull(),
);

test("a cycle is found where there is one", () => {
	const graph = new Map([
		["a", ["b"]],
		["b", ["c", "d"]],
		["c", []],
		["d", ["b"]],
	]);
	expect(cycleIn(graph)).toEqual(["b", "d", "b"]);
});
