/** Literal pixels: where most of a picture's time goes. Pixels are words, as code-group.ts has them. */

import { ALPHA, ALPHA_VARIES, alphaOf, longPixel, NOT_LITERAL, NOT_SHORT, shortPixel } from "./code-group";
import { look } from "./prefix-code";
import { Run } from "./run";

/**
 * Both functions keep the stream in locals: `bits` holds `count` bits not yet taken, and above them more of the stream,
 * which may be taken in again. After each filling there are at least 56: enough for one pixel.
 */

/** Decodes literals up to `end`, where a row ends, or to what is none. */
export function readLiterals(run: Run, end: usize): void {
	const begin = run.stream.begin;
	let from = begin + (run.stream.taken >> 3);
	let count = <u64>(run.stream.taken & 7);
	let bits = load<u64>(from) >> count;
	from += 7;
	count = 56 - count;
	while (run.next < end) {
		if (run.next >= run.stop) run.nextRun();
		const group = run.group;
		let alpha = alphaOf(group);
		const varies = alpha == ALPHA_VARIES;
		const stop = run.stop;
		let at = run.next;
		for (; at < stop; at += 4) {
			bits |= load<u64>(from) << count;
			from += <usize>((63 - count) >> 3);
			count |= 56;
			let pixel = shortPixel(bits, group);
			if ((pixel & NOT_SHORT) != 0) {
				pixel = longPixel(bits, group);
				if ((pixel & NOT_LITERAL) != 0) break;
			}
			bits >>= pixel;
			count -= pixel & 0xff;
			if (varies) {
				bits |= load<u64>(from) << count;
				from += <usize>((63 - count) >> 3);
				count |= 56;
				const entry = look(bits, group + ALPHA);
				bits >>= entry;
				count -= entry & 0xff;
				alpha = entry >> 8;
			}
			store<u32>(at, (pixel & ~0xff) | alpha);
		}
		run.next = at;
		if (at < stop) break;
	}
	run.stream.taken = (<u32>(from - begin) << 3) - <u32>count;
}

/**
 * The same for two pictures in turn, until one of them has come to its row's end, or to what is no literal. Each code has
 * to wait for the one before it; the processor uses that time for the other picture.
 */
export function readLiteralsOfTwo(a: Run, aEnd: usize, b: Run, bEnd: usize): void {
	const aBegin = a.stream.begin;
	const bBegin = b.stream.begin;
	let aFrom = aBegin + (a.stream.taken >> 3);
	let bFrom = bBegin + (b.stream.taken >> 3);
	let aCount = <u64>(a.stream.taken & 7);
	let bCount = <u64>(b.stream.taken & 7);
	let aBits = load<u64>(aFrom) >> aCount;
	let bBits = load<u64>(bFrom) >> bCount;
	aFrom += 7;
	bFrom += 7;
	aCount = 56 - aCount;
	bCount = 56 - bCount;
	while (a.next < aEnd && b.next < bEnd) {
		if (a.next >= a.stop) a.nextRun();
		if (b.next >= b.stop) b.nextRun();
		const aGroup = a.group;
		const bGroup = b.group;
		let aAlpha = alphaOf(aGroup);
		let bAlpha = alphaOf(bGroup);
		const aVaries = aAlpha == ALPHA_VARIES;
		const bVaries = bAlpha == ALPHA_VARIES;
		const aTo = a.next;
		const bTo = b.next;
		const stop = min(a.stop - aTo, b.stop - bTo);
		let at: usize = 0;
		for (; at < stop; at += 4) {
			aBits |= load<u64>(aFrom) << aCount;
			aFrom += <usize>((63 - aCount) >> 3);
			aCount |= 56;
			bBits |= load<u64>(bFrom) << bCount;
			bFrom += <usize>((63 - bCount) >> 3);
			bCount |= 56;
			let aPixel = shortPixel(aBits, aGroup);
			let bPixel = shortPixel(bBits, bGroup);
			if (((aPixel | bPixel) & NOT_SHORT) != 0) {
				if ((aPixel & NOT_SHORT) != 0) aPixel = longPixel(aBits, aGroup);
				if ((bPixel & NOT_SHORT) != 0) bPixel = longPixel(bBits, bGroup);
				if (((aPixel | bPixel) & NOT_LITERAL) != 0) break;
			}
			aBits >>= aPixel;
			bBits >>= bPixel;
			aCount -= aPixel & 0xff;
			bCount -= bPixel & 0xff;
			if (aVaries) {
				aBits |= load<u64>(aFrom) << aCount;
				aFrom += <usize>((63 - aCount) >> 3);
				aCount |= 56;
				const entry = look(aBits, aGroup + ALPHA);
				aBits >>= entry;
				aCount -= entry & 0xff;
				aAlpha = entry >> 8;
			}
			if (bVaries) {
				bBits |= load<u64>(bFrom) << bCount;
				bFrom += <usize>((63 - bCount) >> 3);
				bCount |= 56;
				const entry = look(bBits, bGroup + ALPHA);
				bBits >>= entry;
				bCount -= entry & 0xff;
				bAlpha = entry >> 8;
			}
			store<u32>(aTo + at, (aPixel & ~0xff) | aAlpha);
			store<u32>(bTo + at, (bPixel & ~0xff) | bAlpha);
		}
		a.next = aTo + at;
		b.next = bTo + at;
		if (at < stop) break;
	}
	a.stream.taken = (<u32>(aFrom - aBegin) << 3) - <u32>aCount;
	b.stream.taken = (<u32>(bFrom - bBegin) << 3) - <u32>bCount;
}
