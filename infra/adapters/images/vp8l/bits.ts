/**
 * Reading the bit stream, the least significant bit of each byte first (RFC 9649, section 3).
 *
 * `bits` holds `count` bits not yet taken, and above them more of the stream, which may be taken in again: after `fill`
 * there are at least 56. The decoder of pixels keeps all three values in locals; everything else calls `read`.
 */

let bits: u64 = 0;
let count: u64 = 0;
/** The byte that is taken in next. */
let next: usize = 0;
let end: usize = 0;

/** Begins at `at`, which is the stream's first byte, and ends before `stop`. 8 bytes behind that may be read. */
export function openStream(at: usize, stop: usize): void {
	bits = 0;
	count = 0;
	next = at;
	end = stop;
}

/** The next bits, 32 of them, without taking them. Zeros, or whatever lies behind the stream, when there are none: see `overrun`. */
export function peek(): u32 {
	bits |= load<u64>(next) << count;
	next += <usize>((63 - count) >> 3);
	count |= 56;
	return <u32>bits;
}

/** Takes `n` bits that `peek` has shown. */
export function skip(n: u32): void {
	bits >>= n;
	count -= n;
}

/** The next `n` bits, of at most 31. */
export function read(n: u32): u32 {
	const value = peek() & ((1 << n) - 1);
	skip(n);
	return value;
}

/** Whether more bits were taken than there are. */
export function overrun(): bool {
	return next - <usize>(count >> 3) > end;
}

/** The stream's state, for a loop that keeps it in locals. */
export function streamBits(): u64 {
	return bits;
}

export function streamCount(): u64 {
	return count;
}

export function streamNext(): usize {
	return next;
}

/** Gives the stream's state back. */
export function resume(itsBits: u64, itsCount: u64, itsNext: usize): void {
	bits = itsBits;
	count = itsCount;
	next = itsNext;
}
