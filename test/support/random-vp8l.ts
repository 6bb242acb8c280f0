import { BitWriter, type PrefixCode, prefixCode } from "../tools/sample/prefix-code.js";
import type { Random } from "../tools/sample/random.js";

/**
 * Lossless WebP bit streams (RFC 9649, section 3) that use at random whatever the format has, in ways that no encoder
 * would: every predictor, tables of colours, codes of up to 15 bits, copies from anywhere, colour caches of any size, many code groups. What
 * the pixels come to be is for decoders to say.
 */

const LENGTH_ORDER = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/** The order in which libwebp writes transforms. */
const SUBTRACT_GREEN = 2;
const PREDICTOR = 0;
const COLOUR = 1;
const COLOUR_INDEXING = 3;

interface Group {
	green: PrefixCode;
	red: PrefixCode;
	blue: PrefixCode;
	alpha: PrefixCode;
	distance: PrefixCode;
}

export interface RandomStream {
	/** The payload of a `VP8L` chunk. */
	vp8l: Buffer;
	width: number;
	height: number;
}

/** A whole stream. `opaque`: the header says that there is no alpha; it may be there all the same. */
export function randomVp8l(random: Random, width: number, height: number, opaque: boolean): RandomStream {
	const writer = new StreamWriter(random, width * height * 8 + (1 << 20));
	return { vp8l: writer.write(width, height, opaque), width, height };
}

class StreamWriter {
	readonly #random: Random;
	readonly #out: BitWriter;
	/** Whether alpha takes no bits anywhere, as in nearly all real pictures. */
	readonly #oneAlpha: boolean;

	constructor(random: Random, capacity: number) {
		this.#random = random;
		this.#oneAlpha = random.int(0, 1) === 0;
		this.#out = new BitWriter(capacity);
	}

	write(width: number, height: number, opaque: boolean): Buffer {
		const out = this.#out;
		out.put(0x2f, 8);
		out.put(width - 1, 14);
		out.put(height - 1, 14);
		out.put(opaque ? 0 : 1, 1);
		out.put(0, 3);
		const indexed = this.#random.int(0, 3) === 0;
		const columns = indexed ? this.#colours(width) : width;
		for (const kind of [SUBTRACT_GREEN, PREDICTOR, COLOUR]) {
			if (this.#random.int(0, 2) === 0 || (indexed && kind === SUBTRACT_GREEN)) continue;
			out.put(1, 1);
			out.put(kind, 2);
			if (kind !== SUBTRACT_GREEN) this.#tiles(columns, height, kind === PREDICTOR ? 13 : 255);
		}
		out.put(0, 1);
		this.#picture(columns, height);
		return Buffer.from(out.end());
	}

	/** A table of colours; pixels may well ask for others. Returns how many pixels a row of the image then has. */
	#colours(width: number): number {
		const count = this.#random.pick([1, 2, 3, 4, 5, 16, 17, 100, 256]);
		this.#out.put(1, 1);
		this.#out.put(COLOUR_INDEXING, 2);
		this.#out.put(count - 1, 8);
		const group = this.#group(this.#cache(4), 255);
		this.#pixels(count, 1, () => group);
		const bundled = count <= 2 ? 8 : count <= 4 ? 4 : count <= 16 ? 2 : 1;
		return Math.ceil(width / bundled);
	}

	/** An image of one word a tile; green values up to `most`. */
	#tiles(width: number, height: number, most: number): void {
		const bits = this.#random.int(2, 9);
		this.#out.put(bits - 2, 3);
		const across = Math.ceil(width / (1 << bits));
		const down = Math.ceil(height / (1 << bits));
		const cacheBits = this.#cache(most < 255 ? 0 : 4);
		const group = this.#group(cacheBits, most);
		this.#pixels(across, down, () => group);
	}

	#picture(width: number, height: number): void {
		const cacheBits = this.#cache(11);
		const count = this.#random.pick([1, 1, 2, 5, 20]);
		if (count === 1) {
			this.#out.put(0, 1);
			const group = this.#group(cacheBits, 255);
			this.#pixels(width, height, () => group);
			return;
		}
		this.#out.put(1, 1);
		const bits = this.#random.int(2, 6);
		this.#out.put(bits - 2, 3);
		const across = Math.ceil(width / (1 << bits));
		const down = Math.ceil(height / (1 << bits));
		const numbers = this.#groupNumbers(across * down, count);
		const groups = Array.from({ length: numbers.reduce((most, number) => Math.max(most, number), 0) + 1 }, () =>
			this.#group(cacheBits, 255),
		);
		this.#pixels(width, height, (x, y) => groups[numbers[(y >> bits) * across + (x >> bits)] as number] as Group);
	}

	/** Which group each tile has, as literals: returned, since the writer has to know. */
	#groupNumbers(tiles: number, count: number): number[] {
		this.#out.put(0, 1);
		const numbers = Array.from({ length: tiles }, () => this.#random.int(0, count - 1));
		const counts = new Uint32Array(280);
		for (const number of numbers) counts[number] = (counts[number] as number) + 1;
		const green = prefixCode(counts, 15);
		this.#code(green);
		for (const symbols of [256, 256, 256, 40]) this.#code(prefixCode(new Uint32Array(symbols), 15));
		for (const number of numbers) this.#symbol(green, number);
		return numbers;
	}

	/** A colour cache of up to so many bits; returns how many. */
	#cache(most: number): number {
		const bits = this.#random.int(0, 1) === 0 ? 0 : this.#random.int(0, most);
		this.#out.put(bits > 0 ? 1 : 0, 1);
		if (bits > 0) this.#out.put(bits, 4);
		return bits;
	}

	#group(cacheBits: number, mostGreen: number): Group {
		const greens = 280 + (cacheBits > 0 ? 1 << cacheBits : 0);
		const allowed = (symbol: number) => symbol <= mostGreen || symbol > 255;
		const counts = this.#counts(greens, allowed);
		// There is always a literal to fall back on.
		const literal = this.#random.int(0, mostGreen);
		counts[literal] = Math.max(counts[literal] as number, 1);
		const group = {
			green: prefixCode(counts, 15),
			red: this.#randomCode(256),
			blue: this.#randomCode(256),
			alpha: this.#alpha(),
			distance: this.#randomCode(40),
		};
		for (const code of [group.green, group.red, group.blue, group.alpha, group.distance]) this.#code(code);
		return group;
	}

	#alpha(): PrefixCode {
		if (this.#random.int(0, 1) === 0) return prefixCode(only(256, 255), 15);
		return this.#oneAlpha ? prefixCode(only(256, this.#random.int(0, 255)), 15) : this.#randomCode(256);
	}

	#randomCode(symbols: number): PrefixCode {
		return prefixCode(
			this.#counts(symbols, () => true),
			15,
		);
	}

	/** Counts that make codes flat or steep, of few or of all symbols. */
	#counts(symbols: number, allowed: (symbol: number) => boolean): Uint32Array {
		const steep = this.#random.pick([0, 3, 18]);
		const used = this.#random.pick([1, 2, 3, 17, symbols]);
		const counts = new Uint32Array(symbols);
		for (let i = 0; i < used; i++) {
			const symbol = used === symbols ? i : this.#random.int(0, symbols - 1);
			if (allowed(symbol)) counts[symbol] = 1 << this.#random.int(0, steep);
		}
		return counts;
	}

	/** A code's lengths: as a simple code where that is possible and chance has it, or run by run. */
	#code(code: PrefixCode): void {
		const out = this.#out;
		const used = [...code.lengths.keys()].filter((symbol) => (code.lengths[symbol] as number) > 0);
		const [first = 0, second] = used;
		if (used.length <= 2 && (second ?? first) < 256 && this.#random.int(0, 3) > 0) {
			out.put(1, 1);
			out.put(second === undefined ? 0 : 1, 1);
			const short = first < 2 && this.#random.int(0, 1) === 0;
			out.put(short ? 0 : 1, 1);
			out.put(first, short ? 1 : 8);
			if (second !== undefined) out.put(second, 8);
			return;
		}
		const runs = this.#runs(code.lengths);
		const counts = new Uint32Array(19);
		for (const { symbol } of runs) counts[symbol] = (counts[symbol] as number) + 1;
		const lengthCode = prefixCode(counts, 7);
		out.put(0, 1);
		out.put(15, 4);
		for (const length of LENGTH_ORDER) out.put(lengthCode.lengths[length] ?? 0, 3);
		if (this.#random.int(0, 1) === 0) {
			out.put(0, 1);
		} else {
			// How many of the runs there are; a symbol less than two cannot be said.
			while (runs.length < 2) runs.push({ symbol: 0, extra: 0, bits: 0 });
			out.put(1, 1);
			const bits = Math.max(2, Math.ceil(Math.log2(runs.length - 1) / 2) * 2);
			out.put((bits - 2) / 2, 3);
			out.put(runs.length - 2, bits);
		}
		for (const { symbol, extra, bits } of runs) {
			this.#symbol(lengthCode, symbol);
			out.put(extra, bits);
		}
	}

	/** Lengths as symbols of the code of lengths: repeated ones and zeros by runs, when chance has it. */
	#runs(lengths: Uint8Array): { symbol: number; extra: number; bits: number }[] {
		const runs: { symbol: number; extra: number; bits: number }[] = [];
		let previous = 8;
		for (let at = 0; at < lengths.length; ) {
			const length = lengths[at] as number;
			let same = 1;
			while (lengths[at + same] === length) same += 1;
			const [symbol, least, bits] =
				length === 0 ? (same > 10 ? [18, 11, 7] : [17, 3, 3]) : length === previous ? [16, 3, 2] : [length, 1, 0];
			if (symbol > 15 && same >= least && this.#random.int(0, 3) > 0) {
				const taken = Math.min(same, least + (1 << bits) - 1);
				runs.push({ symbol, extra: taken - least, bits });
				at += taken;
				continue;
			}
			runs.push({ symbol: length, extra: 0, bits: 0 });
			if (length > 0) previous = length;
			at += 1;
		}
		return runs;
	}

	#symbol(code: PrefixCode, symbol: number): void {
		const packed = code.only === null ? (code.codes[symbol] as number) : 0;
		this.#out.put(packed & 0xffff, packed >>> 16);
	}

	#pixels(width: number, height: number, groupAt: (x: number, y: number) => Group): void {
		const total = width * height;
		const usable = new Map<PrefixCode, number[]>();
		const pick = (code: PrefixCode) => {
			let symbols = usable.get(code);
			if (symbols === undefined) {
				symbols = [...code.lengths.keys()].filter((symbol) => (code.lengths[symbol] as number) > 0);
				usable.set(code, symbols);
			}
			return this.#random.pick(symbols);
		};
		for (let at = 0; at < total; ) {
			const group = groupAt(at % width, Math.floor(at / width));
			let symbol = pick(group.green);
			if (symbol > 255 && symbol < 280) {
				const copied = this.#copy(group, symbol - 256, () => pick(group.distance), width, at, total);
				at += copied;
				if (copied > 0) continue;
			}
			while (symbol > 255 && symbol < 280) {
				const literals = (usable.get(group.green) as number[]).filter((one) => one < 256);
				symbol = this.#random.pick(literals);
			}
			this.#symbol(group.green, symbol);
			at += 1;
			if (symbol > 255) continue;
			for (const code of [group.red, group.blue, group.alpha]) this.#symbol(code, pick(code));
		}
	}

	/** Writes a copy if it fits; returns its length, or 0. */
	#copy(
		group: Group,
		lengthSymbol: number,
		pickDistance: () => number,
		width: number,
		at: number,
		total: number,
	): number {
		const length = this.#value(lengthSymbol);
		if (length.value > total - at) return 0;
		for (let tries = 0; tries < 4; tries++) {
			const symbol = pickDistance();
			const distance = this.#value(symbol);
			if (pixelsBack(distance.value, width) > at) continue;
			this.#symbol(group.green, 256 + lengthSymbol);
			this.#extra(length);
			this.#symbol(group.distance, symbol);
			this.#extra(distance);
			return length.value;
		}
		return 0;
	}

	/** A value that the symbol of a length or a distance stands for. */
	#value(symbol: number): { value: number; extra: number; bits: number } {
		if (symbol < 4) return { value: symbol + 1, extra: 0, bits: 0 };
		const bits = (symbol - 2) >> 1;
		const extra = this.#random.int(0, (1 << bits) - 1);
		return { value: ((2 + (symbol & 1)) << bits) + extra + 1, extra, bits };
	}

	#extra({ extra, bits }: { extra: number; bits: number }): void {
		this.#out.put(extra & 0xffff, Math.min(bits, 16));
		if (bits > 16) this.#out.put(extra >>> 16, bits - 16);
	}
}

function only(symbols: number, symbol: number): Uint32Array {
	const counts = new Uint32Array(symbols);
	counts[symbol] = 1;
	return counts;
}

/** At most so many pixels back, whichever of the 120 near ones is meant. */
function pixelsBack(distance: number, width: number): number {
	return distance > 120 ? distance - 120 : 7 * width + 8;
}
