/**
 * Code groups (RFC 9649, section 3.7.2.2): the five prefix codes by which the pixels of a tile are written. A group
 * lies in memory as the first-level tables of its codes, one behind the other, so that one address reaches them all.
 *
 * A pixel is a word here: from the lowest byte on alpha, blue, red, green. That is the order in which the entries of the
 * first two tables need only be added.
 */

import { overrun } from "./bits";
import { LONG, lookOn, readCode, ROOT_BITS, ROOT_BYTES, ROOT_MASK } from "./prefix-code";
import { takeRoom } from "./room";

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
/** Of an entry of green or of pairs: it is not short. */
export const NOT_SHORT: u32 = LONG | OTHER;

/** Reads `count` groups. Returns the first one's address, or 0 when they are damaged or do not fit the room. */
export function readGroups(count: u32, cacheBits: u32): usize {
	const groups = takeRoom(<usize>count * GROUP_BYTES);
	if (groups == 0) return 0;
	for (let i: u32 = 0; i < count; i++) {
		const group = groups + <usize>i * GROUP_BYTES;
		const greens = CACHED + (cacheBits > 0 ? 1 << cacheBits : 0);
		if (!readCode(greens, group + GREEN) || !readCode(VALUES, group + RED) || !readCode(VALUES, group + BLUE)) return 0;
		if (!readCode(VALUES, group + ALPHA) || !readCode(DISTANCES, group + DISTANCE) || overrun()) return 0;
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

/** Red and blue that the next `bits` give; `LONG` when they have too many. */
function pairOf(group: usize, bits: u32): u32 {
	const red = load<u32>(group + (bits << 2), RED);
	const redBits = red & 0xff;
	if (redBits > ROOT_BITS) return LONG;
	const blue = load<u32>(group + ((bits >> redBits) << 2), BLUE);
	const both = redBits + (blue & 0xff);
	return both > ROOT_BITS ? LONG : ((red & 0xff00) << 8) | (blue & 0xff00) | both;
}

/** The entry of green, short or not, as other codes' entries are: see `look`. */
export function lookGreen(bits: u64, group: usize): u32 {
	const entry = load<u32>(group + ((<u32>bits & ROOT_MASK) << 2), GREEN);
	if ((entry & NOT_SHORT) == 0) return ((entry >> 24) << 8) | (entry & 0xff);
	return (entry & LONG) == 0 ? entry & ~OTHER : lookOn(bits, group + GREEN, entry);
}
