import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

// Compiles infra/adapters/images/vp8l to module.generated.ts in that folder; `make setup` runs it when a source has
// changed. A file that already has the right content is left alone. With --check nothing is written: it ends with 1 when
// the file does not hold what its sources give.
const folder = fileURLToPath(new URL("../adapters/images/", import.meta.url));
const file = join(folder, "vp8l/module.generated.ts");

const files = new Map();
const { error, stderr } = await main(
	[
		"decode.ts",
		"--outFile",
		"module.wasm",
		"-O3",
		"--noAssert",
		"--enable",
		"simd",
		"--runtime",
		"stub",
		"--baseDir",
		join(folder, "vp8l"),
	],
	{ writeFile: (name, content) => files.set(name, content) },
);
if (error !== null || stderr.toString() !== "") throw new Error(stderr.toString(), { cause: error });

const text = Buffer.from(files.get("module.wasm")).toString("base64");
const lines = text.match(/.{1,100}/g).map((line) => `\t"${line}"`);
const module = `/**
 * The sources in this folder as a WebAssembly module, base64. Written by \`make decoder\`; a test holds it against them.
 */
export const PICTURE_MODULE =
${lines.join(" +\n")};
`;
const isCurrent = existsSync(file) && readFileSync(file, "utf8") === module;
if (!process.argv.includes("--check")) {
	if (!isCurrent) writeFileSync(file, module);
} else if (!isCurrent) {
	console.error("module.generated.ts is not what its sources in vp8l/ give: run make decoder.");
	process.exit(1);
}
