import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { PictureMemory, pixelHash } from "../../../../../infra/adapters/images/pixels.js";
import { ROOT } from "../../../../support/root.js";
import { pictureWebp } from "../../../../tools/sample/picture.js";
import { Random } from "../../../../tools/sample/random.js";
import { payloadOf } from "../../../../tools/sample/webp.js";

const scanner = new PictureMemory();

/** The definition in docs/lake-format.md, word by word. */
function plainHash(rgba: Buffer, width: number, height: number): string {
	const cell = (i: number, j: number) => {
		const bounds = (size: number, count: number, at: number): [number, number] => {
			const from = Math.floor((at * size) / count);
			return [from, Math.max(from + 1, Math.floor(((at + 1) * size) / count))];
		};
		const [left, right] = bounds(width, 9, i);
		const [top, bottom] = bounds(height, 8, j);
		let sum = 0;
		for (let y = top; y < bottom; y++) {
			for (let x = left; x < right; x++) {
				const at = (y * width + x) * 4;
				const [red, green, blue] = [rgba.readUInt8(at), rgba.readUInt8(at + 1), rgba.readUInt8(at + 2)];
				sum += Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
			}
		}
		return Math.floor(sum / ((right - left) * (bottom - top)));
	};
	let bits = 0n;
	for (let j = 0; j < 8; j++) {
		for (let i = 0; i < 8; i++) bits = (bits << 1n) | (cell(i, j) > cell(i + 1, j) ? 1n : 0n);
	}
	return bits.toString(16).padStart(16, "0");
}

function noise(width: number, height: number): Buffer {
	const random = new Random(`${width}x${height}`);
	return Buffer.from(Uint8Array.from({ length: width * height * 4 }, () => random.int(0, 255)));
}

describe("dhash follows its definition at any size", () => {
	const sizes = [
		[1, 1],
		[1, 8],
		[9, 1],
		[2, 3],
		[8, 7],
		[9, 8],
		[10, 9],
		[17, 15],
		[100, 3],
		[3, 100],
		[64, 48],
		[131, 97],
	] as const;
	test.each(sizes)("%i × %i", (width, height) => {
		const rgba = noise(width, height);
		expect(scanner.scan(rgba, width, height).dhash).toBe(plainHash(rgba, width, height));
	});
});

test("luma is rounded as defined, colour by colour", () => {
	// One pixel a cell, so that nothing is averaged away.
	for (const blue of [0, 1, 77, 128, 254, 255]) {
		for (let red = 0; red < 256; red += 5) {
			const rgba = Buffer.alloc(9 * 8 * 4);
			for (let at = 0; at < 72; at++) rgba.set([red, (at * 37) & 255, blue, 255], at * 4);
			expect(scanner.scan(rgba, 9, 8).dhash).toBe(plainHash(rgba, 9, 8));
		}
	}
});

test("dhash ignores alpha", () => {
	const rgba = noise(40, 30);
	const { dhash } = scanner.scan(rgba, 40, 30);
	for (let at = 3; at < rgba.length; at += 4) rgba[at] = 0;
	expect(scanner.scan(rgba, 40, 30).dhash).toBe(dhash);
});

test("a picture is opaque only if every pixel's alpha is 255", () => {
	const rgba = Buffer.alloc(50 * 40 * 4, 255);
	expect(scanner.scan(rgba, 50, 40).opaque).toBe(true);
	for (const pixel of [0, 777, 1999]) {
		rgba[pixel * 4 + 3] = 254;
		expect(scanner.scan(rgba, 50, 40).opaque).toBe(false);
		rgba[pixel * 4 + 3] = 255;
	}
});

test("a view into the middle of other memory gives the same", () => {
	const rgba = noise(20, 20);
	const shifted = Buffer.concat([Buffer.alloc(1), rgba]).subarray(1);
	expect(scanner.scan(shifted, 20, 20)).toEqual(scanner.scan(rgba, 20, 20));
});

test("a picture in the module's own memory gives the same, whatever lay there before", () => {
	for (const size of [200, 131]) {
		const webp = pictureWebp({ seed: `own ${size}`, size, alpha: true });
		const [rgba = null] = scanner.decode([{ vp8l: payloadOf(webp, "VP8L"), width: size, height: size }]);
		if (rgba === null) throw new Error("a plain picture was not decoded");
		const copy = Buffer.from(rgba);
		const scan = scanner.scan(rgba, size, size);
		expect(scanner.scan(copy, size, size)).toEqual(scan);
		expect(scan.dhash).toBe(plainHash(copy, size, size));
	}
});

test("a picture too large for the module's memory is read in bands, to the same end", () => {
	const [width, height] = [4099, 1031];
	const rgba = Buffer.alloc(width * height * 4, noise(37, 29));
	expect(scanner.scan(rgba, width, height).dhash).toBe(plainHash(rgba, width, height));
});

test("the module's bytes are those of its source", () => {
	const script = join(ROOT, "infra/scripts/write-picture-module.js");
	expect(() => execFileSync(process.execPath, [script, "--check"], { stdio: "pipe" })).not.toThrow();
}, 60_000);

test("pixel_sha256 covers the size, then the rows", () => {
	const rgba = noise(3, 2);
	const size = Buffer.from([3, 0, 0, 0, 2, 0, 0, 0]);
	const expected = createHash("sha256")
		.update(Buffer.concat([size, rgba]))
		.digest("hex");
	expect(pixelHash(rgba, 3, 2)).toBe(expected);
	expect(pixelHash(rgba, 2, 3)).not.toBe(expected);
});
