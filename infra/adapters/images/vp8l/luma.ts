/** Sums of luma by cell, four pixels at a time; pixels.ts says what they are for. */

const CELLS: u32 = 9;

/** Nine pairs of i32: the first pixel of each cell across, and the end of it. Set by the caller. */
export const cells: usize = memory.data(CELLS * 8, 16);
/** Nine i32: the cells' sums. Set by the caller, and added to. */
export const sums: usize = memory.data(CELLS * 4, 16);
/** All pixels, combined by AND: 16 bytes. Set by the caller, and added to. */
export const all: usize = memory.data(16, 16);

/** Adds `rows` rows of `width` pixels of RGBA8, which begin at `at`. 12 bytes behind them may be read, and do not count. */
export function scan(at: usize, rows: u32, width: u32): void {
	for (let row = at; rows > 0; rows--, row += <usize>width << 2) {
		for (let cell: u32 = 0; cell < CELLS; cell++) {
			const bounds = cells + (cell << 3);
			const sum = sums + (cell << 2);
			store<i32>(sum, load<i32>(sum) + lumaOf(row + (load<u32>(bounds) << 2), row + (load<u32>(bounds, 4) << 2)));
		}
	}
}

/** Of the pixels from `from` up to `to`. */
function lumaOf(from: usize, to: usize): i32 {
	let total = i32x4.splat(0);
	let everyPixel = v128.load(all);
	let at = from;
	for (; at + 16 <= to; at += 16) {
		const four = v128.load(at);
		everyPixel = v128.and(everyPixel, four);
		total = i32x4.add(total, lumaOfFour(four));
	}
	if (at < to) {
		// The lanes that lie before the cell's end; the others become white, and are left out of the sum.
		const inside = i32x4.gt_s(i32x4.splat(<i32>(to - at)), i32x4(0, 4, 8, 12));
		const four = v128.or(v128.load(at), v128.not(inside));
		everyPixel = v128.and(everyPixel, four);
		total = i32x4.add(total, v128.and(inside, lumaOfFour(four)));
	}
	v128.store(all, everyPixel);
	return (
		i32x4.extract_lane(total, 0) + i32x4.extract_lane(total, 1) + i32x4.extract_lane(total, 2) + i32x4.extract_lane(total, 3)
	);
}

function lumaOfFour(four: v128): v128 {
	// Of each pixel two words: 299 R + 587 G, and 114 B.
	const weights = i16x8(299, 587, 114, 0, 299, 587, 114, 0);
	const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(four), weights);
	const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(four), weights);
	const thousandths = i32x4.add(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.shuffle<i32>(low, high, 1, 3, 5, 7));
	// floor(v / 1000) = floor(floor(v / 8) * 33555 / 2^22) for every v up to 255,500, and nothing exceeds 2^31.
	const eighths = i32x4.shr_u(i32x4.add(thousandths, i32x4.splat(500)), 3);
	return i32x4.shr_u(i32x4.mul(eighths, i32x4.splat(33555)), 22);
}
