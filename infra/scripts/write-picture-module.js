import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

// Compiles infra/adapters/images/vp8l to module.generated.ts in that folder. With --check it writes nothing, and ends
// with 1 when that file does not hold what its source gives.
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
 * The sources in this folder as a WebAssembly module, base64. Written by \`node infra/scripts/write-picture-module.js\`; a test
 * holds it against them.
 */
export const PICTURE_MODULE =
${lines.join(" +\n")};
`;
if (!process.argv.includes("--check")) writeFileSync(file, module);
else if (readFileSync(file, "utf8") !== module) {
	console.error("module.generated.ts is not what vp8l/ gives: run node infra/scripts/write-picture-module.js.");
	process.exit(1);
}
