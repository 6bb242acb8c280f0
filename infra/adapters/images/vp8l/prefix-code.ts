/**
 * Prefix codes (RFC 9649, section 3.7.2) as tables of two levels. The first has an entry for each value of the next
 * `rootBits` bits; where a code is longer, its entry leads to a table of its own for the bits that follow.
 *
 * An entry: bits 0-5 how many bits the code has, bit 7 (`LONG`) whether another table follows, from bit 8 on the
 * symbol. Of a `LONG` entry: bits 0-3 how many bits the other table takes, from bit 8 on where it begins, in entries
 * from the beginning of the first.
 */

import { Stream } from "./bits";
import { takeRoom } from "./arena";

/** Bits of a first-level table. With 10 or 11 tables are larger than the processor's first cache likes: 2 to 10 % slower. */
export const ROOT_BITS: u32 = 9;
export const ROOT_BYTES: usize = 4 << ROOT_BITS;
export const ROOT_MASK: u32 = (1 << ROOT_BITS) - 1;
export const LONG: u32 = 0x80;
const MOST_BITS: u32 = 15;

/** The codes' lengths by symbol; at most 280 + 2^11 symbols. */
const lengths = memory.data(2336);
/** Symbols by the length of their code. */
const sorted = memory.data(2336 * 2);
/** How many codes there are of each length, and where their symbols begin in `sorted`. */
const counts = memory.data(16 * 4);
const offsets = memory.data(16 * 4);

const LENGTH_SYMBOLS: u32 = 19;
const LENGTH_BITS: u32 = 7;
/** The code of the codes' lengths: its own lengths, and its table. */
const ownLengths = memory.data(32);
const ownTable = memory.data(4 << LENGTH_BITS);
/** The order in which those lengths are given. */
const lengthOrder = memory.data<u8>([17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

/** Reads a code of `symbols` symbols and makes its table at `root`; further tables are taken from the room. False when it is none. */
export function readCode(stream: Stream, symbols: u32, root: usize): bool {
	memory.fill(lengths, 0, symbols);
	if (!(stream.read(1) ? readSimple(stream, symbols) : readLengths(stream, symbols))) return false;
	return makeTable(lengths, symbols, ROOT_BITS, root);
}

/** The entry of the symbol that `bits` begin with, by the tables at `root`: how many bits it takes, and from bit 8 on the symbol. */
export function look(bits: u64, root: usize): u32 {
	const entry = load<u32>(root + ((<u32>bits & ROOT_MASK) << 2));
	return (entry & LONG) == 0 ? entry : lookOn(bits, root, entry);
}

/** The entry in the table that a `LONG` entry leads to. */
export function lookOn(bits: u64, root: usize, entry: u32): u32 {
	const more = (<u32>bits >> ROOT_BITS) & ((1 << (entry & 15)) - 1);
	return load<u32>(root + (((entry >> 8) + more) << 2));
}

export function readSymbol(stream: Stream, root: usize): u32 {
	const entry = look(stream.peek(), root);
	stream.skip(entry & 0xff);
	return entry >> 8;
}

/** One or two symbols, each of them given outright. */
function readSimple(stream: Stream, symbols: u32): bool {
	const two = stream.read(1);
	const first = stream.read(stream.read(1) ? 8 : 1);
	const second = two ? stream.read(8) : first;
	if (first >= symbols || second >= symbols) return false;
	store<u8>(lengths + first, 1);
	store<u8>(lengths + second, 1);
	return true;
}

function readLengths(stream: Stream, symbols: u32): bool {
	memory.fill(ownLengths, 0, LENGTH_SYMBOLS);
	const given: u32 = 4 + stream.read(4);
	for (let i: u32 = 0; i < given; i++) store<u8>(ownLengths + load<u8>(lengthOrder + i), <u8>stream.read(3));
	if (!makeTable(ownLengths, LENGTH_SYMBOLS, LENGTH_BITS, ownTable)) return false;
	let left: u32 = stream.read(1) ? 2 + stream.read(2 + 2 * stream.read(3)) : symbols;
	if (left > symbols) return false;
	let previous: u32 = 8;
	for (let symbol: u32 = 0; symbol < symbols && left > 0; left--) {
		const entry = load<u32>(ownTable + ((<u32>stream.peek() & ((1 << LENGTH_BITS) - 1)) << 2));
		stream.skip(entry & 0xff);
		const length = entry >> 8;
		if (length < 16) {
			store<u8>(lengths + symbol, <u8>length);
			symbol += 1;
			if (length > 0) previous = length;
			continue;
		}
		const repeat: u32 = length == 16 ? 3 + stream.read(2) : length == 17 ? 3 + stream.read(3) : 11 + stream.read(7);
		if (repeat > symbols - symbol) return false;
		if (length == 16) memory.fill(lengths + symbol, <u8>previous, repeat);
		symbol += repeat;
	}
	return true;
}

/** Makes the tables of the code whose lengths are at `lengthsAt`. False when they are no code: nothing may be left over. */
function makeTable(lengthsAt: usize, symbols: u32, rootBits: u32, root: usize): bool {
	const used = sortSymbols(lengthsAt, symbols);
	if (used == 0) return false;
	if (used == 1) {
		// A code of one symbol takes no bits, whatever length it was given.
		fillEvery(root, 0, 1, 1 << rootBits, <u32>load<u16>(sorted) << 8);
		return true;
	}
	let key: u32 = 0;
	let at: usize = sorted;
	for (let length: u32 = 1; length <= rootBits; length++) {
		for (let left = load<u32>(counts + (length << 2)); left > 0; left--, at += 2) {
			fillEvery(root, key, 1 << length, 1 << rootBits, (<u32>load<u16>(at) << 8) | length);
			key = nextKey(key, length);
		}
	}
	return makeLongTables(rootBits, root, key, at);
}

/** Tables for the codes longer than `rootBits`, the first of which is `key`. */
function makeLongTables(rootBits: u32, root: usize, first: u32, firstAt: usize): bool {
	let key = first;
	let at = firstAt;
	let prefix: u32 = u32.MAX_VALUE;
	let table: usize = 0;
	let tableBits: u32 = 0;
	for (let length = rootBits + 1; length <= MOST_BITS; length++) {
		for (let left = load<u32>(counts + (length << 2)); left > 0; left--, at += 2) {
			const itsPrefix = key & ((1 << rootBits) - 1);
			if (itsPrefix != prefix) {
				prefix = itsPrefix;
				tableBits = longestCode(rootBits, length, left) - rootBits;
				table = takeRoom(<usize>4 << tableBits);
				if (table == 0) return false;
				store<u32>(root + (prefix << 2), (<u32>((table - root) >> 2) << 8) | LONG | tableBits);
			}
			fillEvery(table, key >> rootBits, 1 << (length - rootBits), 1 << tableBits, (<u32>load<u16>(at) << 8) | length);
			key = nextKey(key, length);
		}
	}
	return true;
}

/**
 * How long the longest code is that begins with the same `rootBits` bits as the next code, which has `length` bits, as
 * have the `left` codes from it on.
 */
function longestCode(rootBits: u32, length: u32, left: u32): u32 {
	let longest = length;
	/** Places of this length under the prefix that no code has taken. */
	let free: i32 = (1 << (length - rootBits)) - <i32>left;
	while (free > 0 && longest < MOST_BITS) {
		longest += 1;
		free = (free << 1) - load<i32>(counts + (longest << 2));
	}
	return longest;
}

/** Stores `entry` in every `step`-th place of a table, from `first` on. */
function fillEvery(table: usize, first: u32, step: u32, size: u32, entry: u32): void {
	for (let i = first; i < size; i += step) store<u32>(table + (i << 2), entry);
}

/** The code after `key`, whose bits stand in the order in which they are read: the first is the lowest. 0 after the last. */
function nextKey(key: u32, length: u32): u32 {
	let bit: u32 = 1 << (length - 1);
	while ((key & bit) != 0) bit >>= 1;
	return bit == 0 ? 0 : (key & (bit - 1)) | bit;
}

/** Sorts the symbols that have a code by its length, then by symbol, and counts them; 0 when the lengths are no whole code. */
function sortSymbols(lengthsAt: usize, symbols: u32): u32 {
	memory.fill(counts, 0, 64);
	for (let symbol: u32 = 0; symbol < symbols; symbol++) {
		const count = counts + (<usize>load<u8>(lengthsAt + symbol) << 2);
		store<u32>(count, load<u32>(count) + 1);
	}
	let used: u32 = 0;
	/** Codes of this length that no shorter code has taken. */
	let free: i32 = 1;
	for (let length: u32 = 1; length <= MOST_BITS; length++) {
		const count = load<u32>(counts + (length << 2));
		store<u32>(offsets + (length << 2), used);
		used += count;
		free = (free << 1) - <i32>count;
		if (free < 0) return 0;
	}
	if (free != 0 && used != 1) return 0;
	for (let symbol: u32 = 0; symbol < symbols; symbol++) {
		const length = <usize>load<u8>(lengthsAt + symbol);
		if (length == 0) continue;
		const offset = offsets + (length << 2);
		const place = load<u32>(offset);
		store<u16>(sorted + (place << 1), <u16>symbol);
		store<u32>(offset, place + 1);
	}
	return used;
}
