/** The inverse colour transform, and the last step to RGBA (RFC 9649, sections 4.2 and 4.3), four pixels at a time. */

/**
 * Adds to red and blue what the tile's multipliers make of green, then to blue what they make of red: each product
 * of two signed bytes, shifted right by 5. `tile` is the first of the row's tiles, of 2^`tileBits` pixels each. Up to 12
 * bytes behind both rows may be read and written.
 */
export function addColour(from: usize, to: usize, width: u32, tile: usize, tileBits: u32): void {
	const stop = from + (<usize>width << 2);
	for (let at = from, out = to, tileStop = from; at < stop; tile += 4) {
		tileStop = min(tileStop + (<usize>4 << tileBits), stop);
		const factors = load<u32>(tile);
		// As the first of two words, so that the dot product is the product.
		const greenToRed = i32x4.splat(<u16>(<i8>(factors >> 8)));
		const greenToBlue = i32x4.splat(<u16>(<i8>(factors >> 24)));
		const redToBlue = i32x4.splat(<u16>(<i8>(factors >> 16)));
		for (; at < tileStop; at += 16, out += 16) {
			const pixels = v128.load(at);
			const green = i32x4.shr_s(pixels, 24);
			const red = v128.and(i32x4.shl(i32x4.dot_i16x8_s(green, greenToRed), 11), i32x4.splat(0xff0000));
			const blue = v128.and(i32x4.shl(i32x4.dot_i16x8_s(green, greenToBlue), 3), i32x4.splat(0xff00));
			const sum = i8x16.add(pixels, v128.or(red, blue));
			const newRed = i32x4.shr_s(i32x4.shl(sum, 8), 24);
			const more = v128.and(i32x4.shl(i32x4.dot_i16x8_s(newRed, redToBlue), 3), i32x4.splat(0xff00));
			v128.store(out, i8x16.add(sum, more));
		}
		out -= at - tileStop;
		at = tileStop;
	}
}

/** Pixels to RGBA; `addGreen` adds green to red and blue. Up to 12 bytes behind both rows may be read and written. */
export function toRgba(from: usize, to: usize, width: u32, addGreen: bool): void {
	const stop = from + (<usize>width << 2);
	// Which bytes of a pixel get green added: red and blue, or none.
	const added = addGreen ? i32x4.splat(0x00ffff00) : i32x4.splat(0);
	for (let at = from, out = to; at < stop; at += 16, out += 16) {
		const pixels = v128.load(at);
		const green = v128.shuffle<u8>(pixels, pixels, 3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15);
		const sum = i8x16.add(pixels, v128.and(green, added));
		v128.store(out, v128.shuffle<u8>(sum, sum, 2, 3, 1, 0, 6, 7, 5, 4, 10, 11, 9, 8, 14, 15, 13, 12));
	}
}
