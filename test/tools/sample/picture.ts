import { Random } from "./random.js";
import { encodeVp8l } from "./vp8l.js";
import { chunk, riff } from "./webp.js";

/** What one picture of our own is made from; plain data, for another thread. */
export interface PictureSpec {
	seed: string;
	/** Side of the square in pixels. */
	size: number;
	/** Whether a part of it is transparent, with colours left beneath. */
	alpha: boolean;
}

type Colour = [number, number, number];

/** RGBA rows of a picture: a wash of colours, shapes on it, and grain as paint on canvas has it. Integer arithmetic only. */
export function drawPicture({ seed, size, alpha }: PictureSpec): Uint8Array {
	const random = new Random(seed);
	const pixels = new Uint8ClampedArray(size * size * 4);
	const palette = Array.from(
		{ length: 6 },
		(): Colour => [random.int(10, 245), random.int(10, 245), random.int(10, 245)],
	);
	drawWash(pixels, size, random, palette);
	const shapes = random.int(8, 24);
	for (let shape = 0; shape < shapes; shape++) drawEllipse(pixels, size, random, random.pick(palette));
	drawGrain(pixels, size, random);
	if (alpha) cutOut(pixels, size, random);
	return new Uint8Array(pixels.buffer);
}

/** The picture as a lossless WebP; at 512 × 512 between 200 and 400 KB. */
export function pictureWebp(spec: PictureSpec): Buffer {
	const random = new Random(`${spec.seed}/tiles`);
	const payload = encodeVp8l(drawPicture(spec), spec.size, spec.size, () => random.bits() >>> 8);
	return riff([chunk("VP8L", payload)]);
}

/** Colours at the corners of an eight by eight grid, and straight passages between them. */
function drawWash(pixels: Uint8ClampedArray, size: number, random: Random, palette: Colour[]): void {
	const corners = Array.from({ length: 81 }, (): Colour => {
		const [red, green, blue] = random.pick(palette);
		return [red + random.int(-30, 30), green + random.int(-30, 30), blue + random.int(-30, 30)];
	});
	const cell = Math.ceil(size / 8);
	for (let y = 0; y < size; y++) {
		const gridY = Math.floor(y / cell);
		const down = y - gridY * cell;
		for (let channel = 0; channel < 3; channel++) {
			const edge = Array.from({ length: 9 }, (_, gridX) => {
				const above = corners[gridY * 9 + gridX]?.[channel] ?? 0;
				const below = corners[gridY * 9 + 9 + gridX]?.[channel] ?? above;
				return above * (cell - down) + below * down;
			});
			let at = y * size * 4 + channel;
			for (let x = 0; x < size; ) {
				const gridX = Math.floor(x / cell);
				const end = Math.min(size, (gridX + 1) * cell);
				// 16 bits after the point.
				let value = Math.trunc(((edge[gridX] ?? 0) * 65536) / cell);
				const step = Math.trunc((((edge[gridX + 1] ?? 0) - (edge[gridX] ?? 0)) * 65536) / (cell * cell));
				for (; x < end; x++, at += 4, value += step) pixels[at] = value >> 16;
			}
		}
	}
	for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
}

/** A filled ellipse, half covering, lighter or darker towards one side. */
function drawEllipse(pixels: Uint8ClampedArray, size: number, random: Random, [red, green, blue]: Colour): void {
	const [centreX, centreY] = [random.int(0, size - 1), random.int(0, size - 1)];
	const [radiusX, radiusY] = [random.int(size >> 5, size >> 2) + 1, random.int(size >> 5, size >> 2) + 1];
	const cover = random.int(6, 15);
	const shade = random.int(-12, 12);
	for (let y = Math.max(0, centreY - radiusY); y <= Math.min(size - 1, centreY + radiusY); y++) {
		const height = (y - centreY) / radiusY;
		const half = Math.floor(radiusX * Math.sqrt(1 - height * height));
		const light = Math.trunc((shade * (y - centreY)) / (radiusY >> 1 || 1));
		const last = (y * size + Math.min(size - 1, centreX + half)) * 4;
		for (let at = (y * size + Math.max(0, centreX - half)) * 4; at <= last; at += 4) {
			pixels[at] = ((pixels[at] as number) * (16 - cover) + (red + light) * cover) >> 4;
			pixels[at + 1] = ((pixels[at + 1] as number) * (16 - cover) + (green + light) * cover) >> 4;
			pixels[at + 2] = ((pixels[at + 2] as number) * (16 - cover) + (blue + light) * cover) >> 4;
		}
	}
}

/** Grain: light and dark of a strength that differs by place and picture, and a little colour. */
function drawGrain(pixels: Uint8ClampedArray, size: number, random: Random): void {
	const base = random.int(1, 8);
	const strengths = Array.from({ length: 64 }, () => base + random.int(0, 5));
	let state = random.bits() | 1;
	const cell = Math.ceil(size / 8);
	for (let y = 0, at = 0; y < size; y++) {
		const row = Math.floor(y / cell) * 8;
		for (let x = 0, gridX = 0; x < size; gridX++) {
			const strength = strengths[row + gridX] ?? base;
			const end = Math.min(size, x + cell);
			for (; x < end; x++, at += 4) {
				state ^= state << 13;
				state ^= state >>> 17;
				state ^= state << 5;
				const light = (((state & 15) + ((state >>> 4) & 15) - 15) * strength) >> 4;
				pixels[at] = (pixels[at] as number) + light + ((state >>> 8) & 1) - ((state >>> 9) & 1);
				pixels[at + 1] = (pixels[at + 1] as number) + light;
				pixels[at + 2] = (pixels[at + 2] as number) + light + ((state >>> 10) & 1) - ((state >>> 11) & 1);
			}
		}
	}
}

/** Makes the picture transparent outside of a circle with a soft rim. */
function cutOut(pixels: Uint8ClampedArray, size: number, random: Random): void {
	const [centreX, centreY] = [random.int(size >> 2, (size * 3) >> 2), random.int(size >> 2, (size * 3) >> 2)];
	const radius = random.int(size >> 2, size >> 1);
	for (let y = 0, at = 3; y < size; y++) {
		for (let x = 0; x < size; x++, at += 4) {
			const distance = Math.floor(Math.sqrt((x - centreX) ** 2 + (y - centreY) ** 2));
			pixels[at] = (radius - distance) * 8;
		}
	}
}
