/**
 * The inverse predictor transform (RFC 9649, section 4.1). What is predicted is added to what was decoded, each byte
 * modulo 256. L, T, TR and TL are the pixels to the left, above, above right and above left.
 *
 * Predictors without L take four pixels at a time, and then go up to three pixels too far; these are overwritten by the
 * next tile, or lie behind the row.
 */

/** The topmost row: black before the first pixel, then L. */
export function predictFirstRow(from: usize, to: usize, width: u32): void {
	const black = i32x4.splat(0xff);
	v128.store32_lane(to, i8x16.add(v128.load32_zero(from), black), 0);
	predictLeft(from, to, 4, <usize>width << 2);
}

/**
 * Any other row. `above` is the row before, with room for a pixel more; `tile` the first of the row's tiles, of
 * 2^`tileBits` pixels each. 12 bytes behind each row may be read, and behind `to` written. False when a tile has a
 * predictor that there is not.
 */
export function predictRow(from: usize, to: usize, above: usize, width: u32, tile: usize, tileBits: u32): bool {
	const stop = <usize>width << 2;
	// Before the first pixel: T. Above right of the last: the first of this row.
	v128.store32_lane(to, i8x16.add(v128.load32_zero(from), v128.load32_zero(above)), 0);
	store<u32>(above + stop, load<u32>(to));
	let x: usize = 4;
	for (let tilesStop: usize = 0; x < stop; x = min(tilesStop, stop)) {
		// Tiles of one predictor are done at once.
		const mode = modeOf(tile);
		do {
			tilesStop += <usize>4 << tileBits;
			tile += 4;
		} while (tilesStop < stop && modeOf(tile) == mode);
		if (!predictTiles(mode, from, to, above, x, min(tilesStop, stop))) return false;
	}
	return true;
}

function modeOf(tile: usize): u32 {
	return (load<u32>(tile) >> 24) & 15;
}

/** Pixels from byte `x` up to byte `stop` of the row. */
function predictTiles(mode: u32, from: usize, to: usize, above: usize, x: usize, stop: usize): bool {
	switch (mode) {
		case 0: predictBlack(from, to, x, stop); return true;
		case 1: predictLeft(from, to, x, stop); return true;
		case 2: predictFrom(from, to, above, x, stop); return true;
		case 3: predictFrom(from, to, above + 4, x, stop); return true;
		case 4: predictFrom(from, to, above - 4, x, stop); return true;
		case 5: predictAverage3(from, to, above, x, stop); return true;
		case 6: predictAverageLeft(from, to, above - 4, x, stop); return true;
		case 7: predictAverageLeft(from, to, above, x, stop); return true;
		case 8: predictAverage(from, to, above - 4, above, x, stop); return true;
		case 9: predictAverage(from, to, above, above + 4, x, stop); return true;
		case 10: predictAverage4(from, to, above, x, stop); return true;
		case 11: predictSelect(from, to, above, x, stop); return true;
		case 12: predictGradient(from, to, above, x, stop); return true;
		case 13: predictHalfGradient(from, to, above, x, stop); return true;
		default: return false;
	}
}

/** The mean of each byte, rounded down. */
function average(a: v128, b: v128): v128 {
	return i8x16.sub(i8x16.avgr_u(a, b), v128.and(v128.xor(a, b), i8x16.splat(1)));
}

function predictBlack(from: usize, to: usize, x: usize, stop: usize): void {
	const black = i32x4.splat(0xff);
	for (; x < stop; x += 16) v128.store(to + x, i8x16.add(v128.load(from + x), black));
}

/** L: four at a time by adding each pixel to the next one, then the pair to the next pair. */
function predictLeft(from: usize, to: usize, x: usize, stop: usize): void {
	const none = i32x4.splat(0);
	let left = v128.load32_splat(to + x - 4);
	for (; x < stop; x += 16) {
		const one = v128.load(from + x);
		const two = i8x16.add(one, v128.shuffle<i32>(none, one, 0, 4, 5, 6));
		const four = i8x16.add(two, v128.shuffle<i32>(none, two, 0, 1, 4, 5));
		const sum = i8x16.add(four, left);
		v128.store(to + x, sum);
		left = v128.shuffle<i32>(sum, sum, 3, 3, 3, 3);
	}
}

/** T, TR or TL. */
function predictFrom(from: usize, to: usize, pixels: usize, x: usize, stop: usize): void {
	for (; x < stop; x += 16) v128.store(to + x, i8x16.add(v128.load(from + x), v128.load(pixels + x)));
}

/** The mean of two pixels of the row above. */
function predictAverage(from: usize, to: usize, some: usize, others: usize, x: usize, stop: usize): void {
	for (; x < stop; x += 16) {
		const both = average(v128.load(some + x), v128.load(others + x));
		v128.store(to + x, i8x16.add(v128.load(from + x), both));
	}
}

/**
 * The mean of L and a pixel of the row above. Here and below, `left` is the complement of L: of complements the mean is the
 * complement of the mean rounded down, and there is an instruction for the mean rounded up.
 */
function predictAverageLeft(from: usize, to: usize, pixels: usize, x: usize, stop: usize): void {
	let left = v128.not(v128.load32_zero(to + x - 4));
	for (; x < stop; x += 4) {
		const mean = i8x16.avgr_u(left, v128.not(v128.load32_zero(pixels + x)));
		left = i8x16.sub(mean, v128.load32_zero(from + x));
		v128.store32_lane(to + x, v128.not(left), 0);
	}
}

/** The mean of T and the mean of L and TR. */
function predictAverage3(from: usize, to: usize, above: usize, x: usize, stop: usize): void {
	let left = v128.not(v128.load32_zero(to + x - 4));
	for (; x < stop; x += 4) {
		const sides = i8x16.avgr_u(left, v128.not(v128.load32_zero(above + x + 4)));
		const mean = i8x16.avgr_u(sides, v128.not(v128.load32_zero(above + x)));
		left = i8x16.sub(mean, v128.load32_zero(from + x));
		v128.store32_lane(to + x, v128.not(left), 0);
	}
}

/** The mean of two means: L and TL, T and TR. */
function predictAverage4(from: usize, to: usize, above: usize, x: usize, stop: usize): void {
	let left = v128.not(v128.load32_zero(to + x - 4));
	for (; x < stop; x += 4) {
		const behind = i8x16.avgr_u(left, v128.not(v128.load32_zero(above + x - 4)));
		const ahead = average(v128.load32_zero(above + x), v128.load32_zero(above + x + 4));
		left = i8x16.sub(i8x16.avgr_u(behind, v128.not(ahead)), v128.load32_zero(from + x));
		v128.store32_lane(to + x, v128.not(left), 0);
	}
}

/** How far two pixels are from each other: their bytes' differences, added. In the first 32 bits. */
function distance(a: v128, b: v128): v128 {
	const bytes = i8x16.sub(i8x16.max_u(a, b), i8x16.min_u(a, b));
	return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_u(bytes));
}

/** L or T, whichever is nearer to L + T - TL. */
function predictSelect(from: usize, to: usize, above: usize, x: usize, stop: usize): void {
	let left = v128.load32_zero(to + x - 4);
	for (; x < stop; x += 4) {
		const top = v128.load32_zero(above + x);
		const corner = v128.load32_zero(above + x - 4);
		const isLeft = i32x4.lt_s(distance(top, corner), distance(left, corner));
		left = i8x16.add(v128.load32_zero(from + x), v128.bitselect(left, top, isLeft));
		v128.store32_lane(to + x, left, 0);
	}
}

/** L + T - TL, each byte held between 0 and 255. */
function predictGradient(from: usize, to: usize, above: usize, x: usize, stop: usize): void {
	let left = i16x8.extend_low_i8x16_u(v128.load32_zero(to + x - 4));
	for (; x < stop; x += 4) {
		const top = i16x8.extend_low_i8x16_u(v128.load32_zero(above + x));
		const corner = i16x8.extend_low_i8x16_u(v128.load32_zero(above + x - 4));
		const sum = i16x8.add(left, i16x8.sub(top, corner));
		const pixel = i8x16.add(v128.load32_zero(from + x), i8x16.narrow_i16x8_u(sum, sum));
		v128.store32_lane(to + x, pixel, 0);
		left = i16x8.extend_low_i8x16_u(pixel);
	}
}

/** M + (M - TL) / 2 for the mean M of L and T; halved towards 0, and held between 0 and 255. */
function predictHalfGradient(from: usize, to: usize, above: usize, x: usize, stop: usize): void {
	let left = v128.load32_zero(to + x - 4);
	for (; x < stop; x += 4) {
		const mean = i16x8.extend_low_i8x16_u(average(left, v128.load32_zero(above + x)));
		const slope = i16x8.sub(mean, i16x8.extend_low_i8x16_u(v128.load32_zero(above + x - 4)));
		const half = i16x8.shr_s(i16x8.sub(slope, i16x8.shr_s(slope, 15)), 1);
		const sum = i16x8.add(mean, half);
		left = i8x16.add(v128.load32_zero(from + x), i8x16.narrow_i16x8_u(sum, sum));
		v128.store32_lane(to + x, left, 0);
	}
}
