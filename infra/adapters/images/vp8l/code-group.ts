/**
 * Code groups (RFC 9649, section 3.7.2.2): the five prefix codes by which the pixels of a tile are written. A group
 * lies in memory as the first-level tables of its codes, one behind the other, so that one address reaches them all.
 *
 * A pixel is a word here: from the lowest byte on alpha, blue, red, green. That is the order in which the entries of the
 * first two tables need only be added.
 */

import { Stream } from "./bits";
import { LONG, look, lookOn, readCode, ROOT_BITS, ROOT_BYTES, ROOT_MASK } from "./prefix-code";
import { takeRoom } from "./arena";

/** Green values as `makeShort` has left them. */
export const GREEN: usize = 0;
/** Red and blue by one look: see `makeShort`. */
export const PAIR: usize = ROOT_BYTES;
export const RED: usize = 2 * ROOT_BYTES;
export const BLUE: usize = 3 * ROOT_BYTES;
export const ALPHA: usize = 4 * ROOT_BYTES;
export const DISTANCE: usize = 5 * ROOT_BYTES;
export const GROUP_BYTES: usize = 6 * ROOT_BYTES;

/** Symbols of the green code: 256 values, 24 lengths of copies, and from here on what is in the colour cache. */
export const VALUES: u32 = 256;
export const CACHED: u32 = 280;
const DISTANCES: u32 = 40;

/** In an entry of green: it is no value of few bits, but what other tables' entries are. With `LONG` it leads to another table. */
const OTHER: u32 = 0x40;
/** In an entry of pairs: they have too many bits. */
const TOO_MANY: u32 = 0x20;
/** In the sum of an entry of green and one of pairs: it is not a pixel. */
export const NOT_SHORT: u32 = LONG | OTHER | TOO_MANY;
/** In place of how many bits a pixel has: green is no value. */
export const NOT_LITERAL: u32 = 0x80;
export const ALPHA_VARIES: u32 = 0x100;

/** The alpha of a group's pixels where it takes no bits, else `ALPHA_VARIES`. */
export function alphaOf(group: usize): u32 {
	const entry = load<u32>(group, ALPHA);
	return (entry & 0xff) == 0 ? entry >> 8 : ALPHA_VARIES;
}

/** Reads `count` groups. Returns the first one's address, or 0 when they are damaged or do not fit the room. */
export function readGroups(stream: Stream, count: u32, cacheBits: u32): usize {
	const groups = takeRoom(<usize>count * GROUP_BYTES);
	if (groups == 0) return 0;
	for (let i: u32 = 0; i < count; i++) {
		const group = groups + <usize>i * GROUP_BYTES;
		const greens = CACHED + (cacheBits > 0 ? 1 << cacheBits : 0);
		const read =
			readCode(stream, greens, group + GREEN) &&
			readCode(stream, VALUES, group + RED) &&
			readCode(stream, VALUES, group + BLUE) &&
			readCode(stream, VALUES, group + ALPHA) &&
			readCode(stream, DISTANCES, group + DISTANCE);
		if (!read || stream.overrun()) return 0;
		makeShort(group);
	}
	return groups;
}

/**
 * Most pixels are short: green takes no more bits than a table has, and so do red and blue together. For these there are
 * entries made to be added: bits 0-5 how many bits are taken, bits 8-15 blue, 16-23 red, 24-31 green.
 */
function makeShort(group: usize): void {
	for (let bits: u32 = 0; bits < 1 << ROOT_BITS; bits++) {
		const at = group + (bits << 2);
		const green = load<u32>(at, GREEN);
		const isValue = (green & LONG) == 0 && green >> 8 < VALUES;
		store<u32>(at, isValue ? (green >> 8 << 24) | (green & 0xff) : green | OTHER, GREEN);
		store<u32>(at, pairOf(group, bits), PAIR);
	}
}

/** Red and blue that the next `bits` give; `TOO_MANY` when they have more than a table takes. */
function pairOf(group: usize, bits: u32): u32 {
	const red = load<u32>(group + (bits << 2), RED);
	const redBits = red & 0xff;
	if (redBits > ROOT_BITS) return TOO_MANY;
	const blue = load<u32>(group + ((bits >> redBits) << 2), BLUE);
	const both = redBits + (blue & 0xff);
	return both > ROOT_BITS ? TOO_MANY : ((red & 0xff00) << 8) | (blue & 0xff00) | both;
}

/**
 * The pixel that `bits` begin with, if it is short: bits 0-4 how many bits it has, bits 8-31 blue, red, green. Otherwise
 * one of the bits of `NOT_SHORT` is set.
 */
export function shortPixel(bits: u64, group: usize): u32 {
	const green = load<u32>(group + ((<u32>bits & ROOT_MASK) << 2), GREEN);
	return green + load<u32>(group + ((<u32>(bits >> green) & ROOT_MASK) << 2), PAIR);
}

/** The pixel that `bits` begin with, in the same form; it has 45 of them at most. Or `NOT_LITERAL`. */
export function longPixel(bits: u64, group: usize): u32 {
	const green = lookGreen(bits, group);
	if (green >> 8 >= VALUES) return NOT_LITERAL;
	const behind = bits >> green;
	const red = look(behind, group + RED);
	const blue = look(behind >> red, group + BLUE);
	const count = (green & 0xff) + (red & 0xff) + (blue & 0xff);
	return (green >> 8 << 24) | ((red & 0xff00) << 8) | (blue & 0xff00) | count;
}

/** The entry of green, short or not, as other codes' entries are: see `look`. */
export function lookGreen(bits: u64, group: usize): u32 {
	const entry = load<u32>(group + ((<u32>bits & ROOT_MASK) << 2), GREEN);
	if ((entry & (LONG | OTHER)) == 0) return ((entry >> 24) << 8) | (entry & 0xff);
	return (entry & LONG) == 0 ? entry & ~OTHER : lookOn(bits, group + GREEN, entry);
}
