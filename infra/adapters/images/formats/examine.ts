import type { SourceFormat } from "../../../../schemas/stored-format.js";
import { examinePng } from "./png.js";
import type { Verdict } from "./structure.js";
import { examineWebp } from "./webp.js";

const EXAMINE = { webp: examineWebp, png: examinePng };

/** Judges a file by its structure, before any decoder. `bytes` is its full length where `content` is only its head. */
export function examine(format: SourceFormat, content: Buffer, bytes: number = content.length): Verdict {
	return EXAMINE[format](content, bytes);
}
