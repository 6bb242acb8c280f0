/**
 * Entropy-coded images (RFC 9649, section 3.6 and 3.7): literal pixels, copies of earlier ones, and pixels from the
 * colour cache. Pixels are words, as code-group.ts has them.
 */

import { Stream } from "./bits";
import { CACHED, DISTANCE, lookGreen, readGroups, VALUES } from "./code-group";
import { readLiterals, readLiteralsOfTwo } from "./literals";
import { readSymbol } from "./prefix-code";
import { backToMark, roomMark, takeRoom } from "./arena";
import { groupOf, Run } from "./run";

const MOST_CACHE_BITS: u32 = 11;
const CACHE_FACTOR: u32 = 0x1e35a7bd;

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

/** An image while it is decoded. */
@unmanaged
export class CodedImage extends Run {
	first: usize;
	end: usize;
	cache: usize;
	cacheBits: u32;
	/** Pixels before this one are in the cache. */
	cached: usize;
	/** A copy was from before the first pixel, or went behind the last. */
	damaged: bool;

	/** Reads where the cache's size is told. False when that is damaged. */
	readCache(): bool {
		this.cacheBits = 0;
		if (this.stream.read(1)) {
			this.cacheBits = this.stream.read(4);
			if (this.cacheBits == 0 || this.cacheBits > MOST_CACHE_BITS) return false;
		}
		const bytes: usize = 4 << this.cacheBits;
		this.cache = takeRoom(bytes);
		if (this.cache == 0) return false;
		memory.fill(this.cache, 0, bytes);
		return true;
	}

	/** Begins with the first pixel, at `at`. The groups have been read. */
	open(at: usize, width: u32, height: u32): void {
		this.first = at;
		this.end = at + ((<usize>width * height) << 2);
		this.cached = at;
		this.begin(at, width);
	}

	/** Where row `rows` begins. */
	rowsEnd(rows: u32): usize {
		return this.first + ((<usize>this.width * rows) << 2);
	}

	/** Whether rows 0 … `rows` - 1 are complete. */
	hasRows(rows: u32): bool {
		return this.next >= this.rowsEnd(rows);
	}

	/** Decodes the copy or the pixel from the cache that is next. Does nothing where a literal is. */
	readOther(): void {
		if (this.next >= this.stop) this.nextRun();
		const green = lookGreen(this.stream.peek(), this.group);
		const symbol = green >> 8;
		if (symbol < VALUES) return;
		this.stream.skip(green & 0xff);
		if (symbol >= CACHED) this.takeCached(symbol - CACHED);
		else if (!this.copyPixels(symbol - VALUES)) this.damaged = true;
	}

	private takeCached(index: u32): void {
		this.fillCache();
		store<u32>(this.next, load<u32>(this.cache + (index << 2)));
		this.next += 4;
	}

	/** Copies earlier pixels; of their length the symbol has been read. False when there are not that many before, or behind. */
	private copyPixels(lengthSymbol: u32): bool {
		const length = <usize>this.readValue(lengthSymbol);
		const distance = <usize>distanceOf(this.readValue(readSymbol(this.stream, this.group + DISTANCE)), this.width);
		if (distance > (this.next - this.first) >> 2 || length > (this.end - this.next) >> 2) return false;
		const stop = this.next + (length << 2);
		const back = distance << 2;
		for (let at = this.next; at < stop; at += 4) store<u32>(at, load<u32>(at - back));
		this.next = stop;
		return true;
	}

	/** The length or distance that a symbol and the bits behind it stand for (RFC 9649, section 3.6.2.1). */
	private readValue(symbol: u32): u32 {
		if (symbol < 4) return symbol + 1;
		const extra = (symbol - 2) >> 1;
		return ((2 + (symbol & 1)) << extra) + this.stream.read(extra) + 1;
	}

	/** Puts the pixels decoded since the last call into the cache. */
	fillCache(): void {
		if (this.cacheBits == 0) return;
		let at = this.cached;
		for (; at < this.next; at += 4) {
			const pixel = load<u32>(at);
			const argb = (pixel << 24) | (pixel & 0xff0000) | ((pixel >> 16) & 0xff00) | ((pixel >> 8) & 0xff);
			store<u32>(this.cache + (((argb * CACHE_FACTOR) >> (32 - this.cacheBits)) << 2), pixel);
		}
		this.cached = at;
	}
}

export function tilesOf(side: u32, bits: u32): u32 {
	return (side + (1 << bits) - 1) >> bits;
}

/** How many pixels back, in reading order. */
function distanceOf(value: u32, width: u32): u32 {
	if (value > NEIGHBOURS) return value - NEIGHBOURS;
	const neighbour = <u32>load<u8>(neighbours + value - 1);
	const back = <i32>((neighbour >> 4) * width) + 8 - <i32>(neighbour & 15);
	return back < 1 ? 1 : back;
}

/** An image of the stream in memory of the room, of which nothing is read yet; null when there is no room. */
function newImage(stream: Stream): CodedImage | null {
	const at = takeRoom(offsetof<CodedImage>());
	if (at == 0) return null;
	const image = changetype<CodedImage>(at);
	image.stream = stream;
	image.tiles = 0;
	image.damaged = false;
	return image;
}

/** Reads an image that belongs to the picture, one word for each of its tiles. Returns its address, or 0. */
export function readTiles(stream: Stream, acrossTiles: u32, downTiles: u32): usize {
	const tiles = takeRoom((<usize>acrossTiles * downTiles) << 2);
	const mark = roomMark();
	const image = newImage(stream);
	if (tiles == 0 || image == null || !image.readCache()) return 0;
	image.groups = readGroups(stream, 1, image.cacheBits);
	if (image.groups == 0) return 0;
	image.open(tiles, acrossTiles, downTiles);
	if (!readRows(image, downTiles)) return 0;
	backToMark(mark);
	return tiles;
}

/**
 * Reads what stands before the picture's own pixels, which `readRows` is to decode to `at`. Null when it is damaged or does
 * not fit the room.
 */
export function openImage(stream: Stream, at: usize, width: u32, height: u32): CodedImage | null {
	const image = newImage(stream);
	if (image == null || !image.readCache()) return null;
	let count: u32 = 1;
	if (stream.read(1)) {
		image.tileBits = 2 + stream.read(3);
		image.tilesAcross = tilesOf(width, image.tileBits);
		const tilesDown = tilesOf(height, image.tileBits);
		image.tiles = readTiles(stream, image.tilesAcross, tilesDown);
		if (image.tiles == 0) return null;
		for (let i: u32 = 0; i < image.tilesAcross * tilesDown; i++) count = max(count, groupOf(image.tiles + (i << 2)) + 1);
	}
	image.groups = readGroups(stream, count, image.cacheBits);
	if (image.groups == 0) return null;
	image.open(at, width, height);
	return image;
}

/** Decodes until rows 0 … `rows` - 1 are complete; a copy may already have gone further. False when they are damaged. */
export function readRows(image: CodedImage, rows: u32): bool {
	const end = image.rowsEnd(rows);
	while (image.next < end && !image.damaged) {
		readLiterals(image, end);
		if (image.next < end) image.readOther();
	}
	image.fillCache();
	return !image.damaged && !image.stream.overrun();
}

/** Decodes two images in turn, until one of them has these rows complete, or is damaged: `readRows` tells which. */
export function readRowsOfTwo(a: CodedImage, aRows: u32, b: CodedImage, bRows: u32): void {
	const aEnd = a.rowsEnd(aRows);
	const bEnd = b.rowsEnd(bRows);
	while (a.next < aEnd && b.next < bEnd && !a.damaged && !b.damaged) {
		readLiteralsOfTwo(a, aEnd, b, bEnd);
		if (a.next < aEnd && b.next < bEnd) {
			a.readOther();
			b.readOther();
		}
	}
}
