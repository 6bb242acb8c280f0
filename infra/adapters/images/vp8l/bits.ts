/** Reading the bit stream, the least significant bit of each byte first (RFC 9649, section 3). */

@unmanaged
export class Stream {
	/** The first byte. */
	begin: usize;
	/** Bits taken so far, and how many there are. */
	taken: u32;
	bits: u32;

	/** Begins at `at` and ends before `stop`, at most 2^28 bytes behind. 8 bytes behind that may be read. */
	open(at: usize, stop: usize): void {
		this.begin = at;
		this.taken = 0;
		this.bits = <u32>(stop - at) << 3;
	}

	/** The next 57 bits, without taking them. Whatever lies behind the stream, when there are none: see `overrun`. */
	peek(): u64 {
		return load<u64>(this.begin + (this.taken >> 3)) >> (this.taken & 7);
	}

	/** Takes `n` bits. */
	skip(n: u32): void {
		this.taken += n;
	}

	/** The next `n` bits, of at most 31. */
	read(n: u32): u32 {
		const value = <u32>this.peek() & ((1 << n) - 1);
		this.skip(n);
		return value;
	}

	/** Whether more bits were taken than there are. */
	overrun(): bool {
		return this.taken > this.bits;
	}
}
