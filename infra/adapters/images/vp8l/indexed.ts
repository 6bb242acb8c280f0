/**
 * Colour-indexed pictures (RFC 9649, section 4.4): green tells which of up to 256 colours a pixel has. Where these are no
 * more than 16, one pixel of the image tells several of the picture.
 */

import { Stream } from "./bits";
import { toRgba } from "./colour";
import { readTiles } from "./coded-image";
import { takeRoom } from "./arena";

const COLOURS: u32 = 256;

/** Two to the power of this many pixels of the picture are told by one of the image. */
export function bundleBitsOf(count: u32): u32 {
	return count <= 2 ? 3 : count <= 4 ? 2 : count <= 16 ? 1 : 0;
}

/** Reads `count` colours. Returns where 256 of them are as RGBA, of which the others are transparent black; 0 when they are damaged. */
export function readColours(stream: Stream, count: u32): usize {
	const colours = takeRoom(<usize>COLOURS << 2);
	const given = readTiles(stream, count, 1);
	if (colours == 0 || given == 0) return 0;
	// Each is told by what it has more than the one before.
	let sum = v128.load32_zero(given);
	for (let i: u32 = 1; i < count; i++) {
		sum = i8x16.add(sum, v128.load32_zero(given + (i << 2)));
		v128.store32_lane(given + (i << 2), sum, 0);
	}
	toRgba(given, colours, count, false);
	memory.fill(colours + (<usize>count << 2), 0, <usize>(COLOURS - count) << 2);
	return colours;
}

/** Pixels of the image to `width` pixels of RGBA. */
export function colourRow(from: usize, to: usize, width: u32, colours: usize, bundleBits: u32): void {
	const indexBits: u32 = 8 >> bundleBits;
	const mask: u32 = (1 << indexBits) - 1;
	const last: u32 = (1 << bundleBits) - 1;
	let indexes: u32 = 0;
	for (let x: u32 = 0; x < width; x++) {
		if ((x & last) == 0) {
			indexes = load<u32>(from) >> 24;
			from += 4;
		}
		store<u32>(to + (x << 2), load<u32>(colours + ((indexes & mask) << 2)));
		indexes >>= indexBits;
	}
}
