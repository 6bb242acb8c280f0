import { readFileSync, writeFileSync } from "node:fs";
import wabt from "wabt";

// Writes infra/adapters/images/luma-module.ts from luma.wat beside it.
const folder = new URL("../adapters/images/", import.meta.url);
const { parseWat } = await wabt();
const source = parseWat("luma.wat", readFileSync(new URL("luma.wat", folder), "utf8"), { simd: true });
const text = Buffer.from(source.toBinary({}).buffer).toString("base64");
const lines = text.match(/.{1,100}/g).map((line) => `\t"${line}"`);
const head =
	"/** luma.wat as a WebAssembly module, base64. Written by `node infra/scripts/write-luma.js`; a test holds it against its source. */\n";
writeFileSync(new URL("luma-module.ts", folder), `${head}export const LUMA_MODULE =\n${lines.join(" +\n")};\n`);
