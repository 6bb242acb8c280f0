/**
 * Entropy-coded images (RFC 9649, section 3.6 and 3.7): literal pixels, copies of earlier ones, and pixels from the
 * colour cache. Pixels are words, as code-group.ts has them. One image is decoded at a time; the picture itself is decoded row by row.
 */

import { overrun, read, resume, streamBits, streamCount, streamNext } from "./bits";
import {
	ALPHA, BLUE, CACHED, DISTANCE, GREEN, GROUP_BYTES, lookGreen, NOT_SHORT, PAIR, readGroups, RED, VALUES,
} from "./code-group";
import { look, readSymbol, ROOT_BITS, ROOT_MASK } from "./prefix-code";
import { backToMark, roomMark, takeRoom } from "./room";

const MOST_CACHE_BITS: u32 = 11;
const CACHE_FACTOR: u32 = 0x1e35a7bd;
/** How many short pixels there are in the 56 bits of a filling, at least. */
const SHORT_PIXELS = 56 / (2 * ROOT_BITS);

/** The first 120 distances: which pixel is meant, as its row above times 16 and 8 less its column to the left. */
const neighbours = memory.data<u8>([
	0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1b, 0x36, 0x3a,
	0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34, 0x3c, 0x03,
	0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d, 0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e,
	0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f,
	0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e, 0x00, 0x74, 0x7c, 0x41,
	0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
]);
const NEIGHBOURS: u32 = 120;

/** The image being decoded. */
let first: usize = 0;
let width: u32 = 0;
let end: usize = 0;
/** The pixel that is decoded next, and its place. */
let next: usize = 0;
let column: u32 = 0;
let row: u32 = 0;

let groups: usize = 0;
/** Which group a tile has: words whose red and green tell it; 0 when there is one group for all. */
let tiles: usize = 0;
let tileBits: u32 = 0;
let tilesAcross: u32 = 0;

let cache: usize = 0;
let cacheBits: u32 = 0;
/** Pixels before this one are in the cache. */
let cached: usize = 0;

export function tilesOf(side: u32, bits: u32): u32 {
	return (side + (1 << bits) - 1) >> bits;
}

/** Reads an image that belongs to the picture, one word for each of its tiles. Returns its address, or 0. */
export function readTiles(acrossTiles: u32, downTiles: u32): usize {
	const image = takeRoom((<usize>acrossTiles * downTiles) << 2);
	if (image == 0) return 0;
	const mark = roomMark();
	if (!readCache()) return 0;
	groups = readGroups(1, cacheBits);
	if (groups == 0) return 0;
	tiles = 0;
	begin(image, acrossTiles, downTiles);
	if (!readRows(downTiles)) return 0;
	backToMark(mark);
	return image;
}

/** Reads what stands before the picture's own pixels, which `readRows` is to decode to `image`. */
export function beginPicture(image: usize, itsWidth: u32, itsHeight: u32): bool {
	if (!readCache()) return false;
	const itsCache = cache;
	const itsCacheBits = cacheBits;
	let itsTiles: usize = 0;
	let count: u32 = 1;
	if (read(1)) {
		tileBits = 2 + read(3);
		tilesAcross = tilesOf(itsWidth, tileBits);
		const tilesDown = tilesOf(itsHeight, tileBits);
		itsTiles = readTiles(tilesAcross, tilesDown);
		if (itsTiles == 0) return false;
		for (let i: u32 = 0; i < tilesAcross * tilesDown; i++) count = max(count, groupOf(itsTiles + (i << 2)) + 1);
	}
	cache = itsCache;
	cacheBits = itsCacheBits;
	groups = readGroups(count, cacheBits);
	tiles = itsTiles;
	begin(image, itsWidth, itsHeight);
	return groups != 0;
}

function begin(image: usize, itsWidth: u32, itsHeight: u32): void {
	first = image;
	width = itsWidth;
	end = image + ((<usize>itsWidth * itsHeight) << 2);
	next = image;
	cached = image;
	column = 0;
	row = 0;
}

function readCache(): bool {
	cacheBits = 0;
	if (read(1)) {
		cacheBits = read(4);
		if (cacheBits == 0 || cacheBits > MOST_CACHE_BITS) return false;
	}
	cache = takeRoom(<usize>4 << cacheBits);
	if (cache != 0) memory.fill(cache, 0, <usize>4 << cacheBits);
	return cache != 0;
}

function groupOf(tile: usize): u32 {
	const pixel = load<u32>(tile);
	return ((pixel >> 8) & 0xff00) | (pixel >> 24);
}

/** Decodes until rows 0 … `rows` - 1 are complete; a copy may already have gone further. False when they are damaged. */
export function readRows(rows: u32): bool {
	const stop = first + ((<usize>width * rows) << 2);
	while (next < stop) {
		let group = groups;
		let pixels = width - column;
		if (tiles != 0) {
			group += <usize>groupOf(tiles + (((row >> tileBits) * tilesAcross + (column >> tileBits)) << 2)) * GROUP_BYTES;
			pixels = min(pixels, (1 << tileBits) - (column & ((1 << tileBits) - 1)));
		}
		const from = next;
		if (!readPixels(group, next + ((<usize>pixels) << 2))) return false;
		column += <u32>((next - from) >> 2);
		while (column >= width) {
			column -= width;
			row += 1;
		}
	}
	return !overrun();
}

/** Decodes pixels of one group until `stop` is reached or passed. False when they are damaged. */
function readPixels(group: usize, stop: usize): bool {
	while (next < stop) {
		const symbol = readLiterals(group, stop);
		if (symbol >= CACHED) {
			fillCache();
			store<u32>(next, load<u32>(cache + ((symbol - CACHED) << 2)));
			next += 4;
		} else if (symbol >= VALUES && !copyPixels(group, symbol - VALUES)) return false;
	}
	fillCache();
	return true;
}

/**
 * Decodes literal pixels up to `stop`; or up to a symbol of green that is no value, which is returned. This is where
 * most of a picture's time goes. After each filling there are 56 bits: three short pixels, or three codes of 15 bits.
 */
function readLiterals(group: usize, stop: usize): u32 {
	let bits = streamBits();
	let count = streamCount();
	let from = streamNext();
	let at = next;
	let symbol: u32 = 0;
	const onlyAlpha = load<u32>(group, ALPHA);
	const fixedAlpha = (onlyAlpha & 0xff) == 0;
	while (at < stop) {
		bits |= load<u64>(from) << count;
		from += <usize>((63 - count) >> 3);
		count |= 56;
		if (fixedAlpha) {
			let left = SHORT_PIXELS;
			for (; left > 0 && at < stop; left--, at += 4) {
				const green = load<u32>(group + ((<u32>bits & ROOT_MASK) << 2), GREEN);
				const behind = bits >> green;
				const pair = load<u32>(group + ((<u32>behind & ROOT_MASK) << 2), PAIR);
				if (((green | pair) & NOT_SHORT) != 0) break;
				bits = behind >> pair;
				const pixel = green + pair;
				count -= pixel & 0xff;
				store<u32>(at, (pixel & ~0xff) | (onlyAlpha >> 8));
			}
			if (left == 0 || at == stop) continue;
			bits |= load<u64>(from) << count;
			from += <usize>((63 - count) >> 3);
			count |= 56;
		}
		const green = lookGreen(bits, group);
		bits >>= green;
		count -= green & 0xff;
		symbol = green >> 8;
		if (symbol >= VALUES) break;
		const red = look(bits, group + RED);
		bits >>= red;
		count -= red & 0xff;
		const blue = look(bits, group + BLUE);
		bits >>= blue;
		count -= blue & 0xff;
		let alpha = onlyAlpha;
		if (!fixedAlpha) {
			bits |= load<u64>(from) << count;
			from += <usize>((63 - count) >> 3);
			count |= 56;
			alpha = look(bits, group + ALPHA);
			bits >>= alpha;
			count -= alpha & 0xff;
		}
		store<u32>(at, (symbol << 24) | ((red & 0xff00) << 8) | (blue & 0xff00) | (alpha >> 8));
		at += 4;
	}
	next = at;
	resume(bits, count, from);
	return symbol;
}

/** Copies earlier pixels; of their length the symbol has been read. False when there are not that many before, or behind. */
function copyPixels(group: usize, lengthSymbol: u32): bool {
	const length = <usize>readValue(lengthSymbol);
	const distance = <usize>distanceOf(readValue(readSymbol(group + DISTANCE)));
	if (distance > (next - first) >> 2 || length > (end - next) >> 2) return false;
	const stop = next + (length << 2);
	const back = distance << 2;
	for (let at = next; at < stop; at += 4) store<u32>(at, load<u32>(at - back));
	next = stop;
	return true;
}

/** The length or distance that a symbol and the bits behind it stand for (RFC 9649, section 3.6.2.1). */
function readValue(symbol: u32): u32 {
	if (symbol < 4) return symbol + 1;
	const extra = (symbol - 2) >> 1;
	return ((2 + (symbol & 1)) << extra) + read(extra) + 1;
}

/** How many pixels back, in reading order. */
function distanceOf(value: u32): u32 {
	if (value > NEIGHBOURS) return value - NEIGHBOURS;
	const neighbour = <u32>load<u8>(neighbours + value - 1);
	const back = <i32>((neighbour >> 4) * width) + 8 - <i32>(neighbour & 15);
	return back < 1 ? 1 : back;
}

/** Puts the pixels decoded since the last call into the cache. */
function fillCache(): void {
	if (cacheBits == 0) return;
	for (; cached < next; cached += 4) {
		const pixel = load<u32>(cached);
		const argb = (pixel << 24) | (pixel & 0xff0000) | ((pixel >> 16) & 0xff00) | ((pixel >> 8) & 0xff);
		store<u32>(cache + (((argb * CACHE_FACTOR) >> (32 - cacheBits)) << 2), pixel);
	}
}
