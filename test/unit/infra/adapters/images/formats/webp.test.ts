import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Decoder } from "../../../../../../infra/adapters/images/decode.js";
import { MAX_BYTES } from "../../../../../../infra/adapters/images/formats/structure.js";
import { examineWebp as examine } from "../../../../../../infra/adapters/images/formats/webp.js";
import { openSharp } from "../../../../../../infra/adapters/images/sharp.js";
import { ROOT } from "../../../../../support/root.js";

/** `<what>.<CODE>.webp`: the code is what the file must give; OK for a good one. */
const FOLDER = join(ROOT, "test/fixtures/images");
const FILES = readdirSync(FOLDER).sort();
const read = (file: string) => readFileSync(join(FOLDER, file));
const codeOf = (file: string) => file.split(".")[1] as string;

/** Whatever follows the structure is the decoder's: these are good containers around damaged pixels. */
const DECODED = [
	"alpha-chunk-beside-lossless.IMAGE_UNDECODABLE.webp",
	"lossy-cut-sizes-repaired.IMAGE_UNDECODABLE.webp",
	"pixels-cut-sizes-repaired.IMAGE_UNDECODABLE.webp",
	"pixels-zeroed.IMAGE_UNDECODABLE.webp",
];

describe("the code of a bad file is told by its structure", () => {
	test.each(FILES.filter((file) => !DECODED.includes(file)))("%s", (file) => {
		const verdict = examine(read(file));
		const found = verdict.ok ? (verdict.structure.warnings[0]?.code ?? "OK") : verdict.reject.code;
		expect(found).toBe(codeOf(file));
	});
});

describe("what the structure leaves open, decoding tells", () => {
	test.each(DECODED)("%s", async (file) => {
		const verdict = examine(read(file));
		if (!verdict.ok) throw new Error(`rejected by its structure: ${verdict.reject.detail}`);
		expect(await new Decoder().decode(read(file), verdict.structure, false)).toBeNull();
	});
});

test("no rule is stricter than the arbiter, but those of the contract", async () => {
	const stricter: string[] = [];
	for (const file of FILES) {
		const verdict = examine(read(file));
		if (verdict.ok || codeOf(file) === "IMAGE_EMPTY") continue;
		const decoded = await openSharp(read(file), { ignoreIcc: true })
			.raw()
			.toBuffer()
			.catch(() => null);
		if (decoded !== null) stricter.push(file);
	}
	expect(stricter).toEqual(["png.IMAGE_NOT_WEBP.webp", "svg.IMAGE_NOT_WEBP.webp", "two-frames.IMAGE_ANIMATED.webp"]);
});

test("every length that a good file can be cut to is truncated, or no WebP at all", () => {
	const whole = read("alpha-with-xmp.OK.webp");
	const codes = Array.from({ length: whole.length }, (_, length) => {
		const verdict = examine(whole.subarray(0, length));
		return verdict.ok ? "OK" : verdict.reject.code;
	});
	const expected = codes.map((_, length) =>
		length === 0 ? "IMAGE_EMPTY" : length < 12 ? "IMAGE_NOT_WEBP" : "IMAGE_TRUNCATED",
	);
	expect(codes).toEqual(expected);
});

test("a file over 64 MiB is too large, by its head alone; at 64 MiB it is not", () => {
	const head = read("opaque.OK.webp");
	const over = examine(head, MAX_BYTES + 1);
	expect(over).toMatchObject({ ok: false, reject: { code: "IMAGE_TOO_LARGE" } });
	expect(examine(read("html.IMAGE_NOT_WEBP.webp"), MAX_BYTES + 1)).toMatchObject({
		reject: { code: "IMAGE_NOT_WEBP" },
	});
	const full = Buffer.alloc(MAX_BYTES);
	head.copy(full);
	expect(examine(full).ok).toBe(true);
});

test("64,000,000 pixels are allowed, one row more is not", () => {
	const claim = (width: number, height: number) => {
		const file = Buffer.from(read("opaque.OK.webp"));
		file.writeUInt32LE(((width - 1) | ((height - 1) << 14)) >>> 0, 21);
		return examine(file);
	};
	expect(claim(8000, 8000)).toMatchObject({ ok: true, structure: { width: 8000, height: 8000 } });
	expect(claim(8000, 8001)).toMatchObject({ ok: false, reject: { code: "IMAGE_TOO_LARGE" } });
});

test("a lossy file with bytes behind it has both warnings", () => {
	const file = Buffer.concat([read("lossy.IMAGE_NOT_LOSSLESS.webp"), Buffer.from("more")]);
	const verdict = examine(file);
	if (!verdict.ok) throw new Error(verdict.reject.detail);
	expect(verdict.structure.warnings.map(({ code }) => code)).toEqual(["IMAGE_NOT_LOSSLESS", "IMAGE_TRAILING_BYTES"]);
	expect(verdict.structure.bytes).toBe(file.length - 4);
});
