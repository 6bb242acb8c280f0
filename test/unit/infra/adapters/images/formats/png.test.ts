import { describe, expect, test } from "@jest/globals";
import { examine } from "../../../../../../infra/adapters/images/formats/examine.js";
import { examinePng } from "../../../../../../infra/adapters/images/formats/png.js";
import { MAX_BYTES } from "../../../../../../infra/adapters/images/formats/structure.js";
import { openSharp } from "../../../../../../infra/adapters/images/sharp.js";

/** The code of a bad PNG is told by its first 24 bytes and its length; all else is left to the decoder. */

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

/** The first bytes of a PNG that claims this size. */
function head(width: number, height: number, type = "IHDR"): Buffer {
	const header = Buffer.alloc(16);
	header.writeUInt32BE(13, 0);
	header.write(type, 4, "latin1");
	header.writeUInt32BE(width, 8);
	header.writeUInt32BE(height, 12);
	return Buffer.concat([SIGNATURE, header]);
}

function codeOf(content: Buffer, bytes?: number): string {
	const verdict = examinePng(content, bytes);
	return verdict.ok ? "OK" : verdict.reject.code;
}

test("a good file has its size, and nothing that only a WebP can have", async () => {
	const raw = { width: 7, height: 5, channels: 4 } as const;
	const file = await openSharp(Buffer.alloc(7 * 5 * 4, 0x55), { raw })
		.png()
		.toBuffer();
	expect(examinePng(file)).toEqual({
		ok: true,
		structure: {
			width: 7,
			height: 5,
			bytes: file.length,
			picture: { start: 0, bytes: file.length },
			plain: false,
			alpha: false,
			warnings: [],
		},
	});
	expect(examine("png", file)).toEqual(examinePng(file));
	expect(examine("webp", file)).toMatchObject({ ok: false, reject: { code: "IMAGE_NOT_WEBP" } });
});

test("of a head alone, the length is the whole file's", () => {
	expect(examinePng(head(7, 5), 9000)).toMatchObject({ ok: true, structure: { width: 7, height: 5, bytes: 9000 } });
});

test("no bytes are IMAGE_EMPTY", () => {
	expect(codeOf(Buffer.alloc(0))).toBe("IMAGE_EMPTY");
});

describe("IMAGE_NOT_PNG", () => {
	test.each([
		["a WebP", Buffer.from("RIFF\x24\0\0\0WEBPVP8L", "latin1")],
		["a JPEG", Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
		["a page", Buffer.from("<!doctype html>")],
		["line ends that somebody changed", Buffer.from("\x89PNG\n\x1a\n\0\0\0\rIHDR", "latin1")],
		["a signature without its high bit", Buffer.concat([Buffer.from([0x09]), head(7, 5).subarray(1)])],
		["half a signature", SIGNATURE.subarray(0, 4)],
	])("%s", (_, content) => {
		expect(codeOf(content)).toBe("IMAGE_NOT_PNG");
	});

	test("however large it is", () => {
		expect(codeOf(Buffer.from("<!doctype html>"), MAX_BYTES + 1)).toBe("IMAGE_NOT_PNG");
	});
});

test("what ends before its header does is IMAGE_TRUNCATED", () => {
	const whole = head(7, 5);
	const codes = Array.from({ length: whole.length + 1 }, (_, length) => codeOf(whole.subarray(0, length)));
	const expected = codes.map((_, length) => {
		if (length === 0) return "IMAGE_EMPTY";
		if (length < 8) return "IMAGE_NOT_PNG";
		return length < 24 ? "IMAGE_TRUNCATED" : "OK";
	});
	expect(codes).toEqual(expected);
});

describe("IMAGE_TOO_LARGE", () => {
	test("over 64 MiB, by its head alone; at 64 MiB it is not", () => {
		expect(codeOf(head(7, 5), MAX_BYTES)).toBe("OK");
		expect(codeOf(head(7, 5), MAX_BYTES + 1)).toBe("IMAGE_TOO_LARGE");
	});

	test.each([
		[8000, 8000, "OK"],
		[8000, 8001, "IMAGE_TOO_LARGE"],
		[64_000_000, 1, "OK"],
		[1, 64_000_001, "IMAGE_TOO_LARGE"],
		[0xffffffff, 0xffffffff, "IMAGE_TOO_LARGE"],
	])("64,000,000 pixels are allowed, one more is not: %i×%i", (width, height, code) => {
		expect(codeOf(head(width, height))).toBe(code);
	});

	test("says what it claims to be", () => {
		expect(examinePng(head(8000, 8001))).toMatchObject({
			reject: { detail: "The picture is 8000×8001; the limit is 64000000 pixels." },
		});
	});
});

describe("IMAGE_UNDECODABLE", () => {
	test.each(["IDAT", "CgBI", "ihdr"])("what begins with another chunk: %s", (type) => {
		expect(codeOf(head(7, 5, type))).toBe("IMAGE_UNDECODABLE");
	});

	test.each([
		[0, 5],
		[7, 0],
		[0, 0],
	])("a picture of no size: %i×%i", (width, height) => {
		expect(codeOf(head(width, height))).toBe("IMAGE_UNDECODABLE");
	});
});
