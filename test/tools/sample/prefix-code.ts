/** Writes bits, the least significant first, as VP8L wants them. */
export class BitWriter {
	#bytes: Uint8Array;
	#length = 0;
	#pending = 0;
	#count = 0;

	constructor(capacity: number) {
		this.#bytes = new Uint8Array(capacity);
	}

	/** Writes the low `count` (at most 16) bits of `value`, whose higher bits are 0. */
	put(value: number, count: number): void {
		this.#pending |= value << this.#count;
		this.#count += count;
		while (this.#count >= 8) {
			this.#bytes[this.#length++] = this.#pending;
			this.#pending >>>= 8;
			this.#count -= 8;
		}
	}

	/** Writes one symbol after another: `codes[symbols[i]]`, as `PrefixCode.codes` packs them, four tables in turn. */
	putPixels(symbols: Uint8Array, green: Uint32Array, red: Uint32Array, blue: Uint32Array, alpha: Uint32Array): void {
		const bytes = this.#bytes;
		let length = this.#length;
		let pending = this.#pending;
		let count = this.#count;
		const opaque = alpha.every((code) => code >>> 16 === 0);
		for (let at = 0; at < symbols.length; at += 4) {
			let code = green[symbols[at + 1] as number] as number;
			pending |= (code & 0xffff) << count;
			count += code >>> 16;
			if (count >= 16) {
				bytes[length] = pending;
				bytes[length + 1] = pending >>> 8;
				length += 2;
				pending >>>= 16;
				count -= 16;
			}
			code = red[symbols[at] as number] as number;
			pending |= (code & 0xffff) << count;
			count += code >>> 16;
			if (count >= 16) {
				bytes[length] = pending;
				bytes[length + 1] = pending >>> 8;
				length += 2;
				pending >>>= 16;
				count -= 16;
			}
			code = blue[symbols[at + 2] as number] as number;
			pending |= (code & 0xffff) << count;
			count += code >>> 16;
			if (count >= 16) {
				bytes[length] = pending;
				bytes[length + 1] = pending >>> 8;
				length += 2;
				pending >>>= 16;
				count -= 16;
			}
			if (opaque) continue;
			code = alpha[symbols[at + 3] as number] as number;
			pending |= (code & 0xffff) << count;
			count += code >>> 16;
			if (count >= 16) {
				bytes[length] = pending;
				bytes[length + 1] = pending >>> 8;
				length += 2;
				pending >>>= 16;
				count -= 16;
			}
		}
		this.#length = length;
		this.#pending = pending;
		this.#count = count;
		this.put(0, 0);
	}

	/** The bytes written, the last one filled with zeros. */
	end(): Uint8Array {
		if (this.#count > 0) this.put(0, 8 - this.#count);
		return this.#bytes.slice(0, this.#length);
	}
}

/** A canonical prefix code. Packed code of each symbol: its length in the high 16 bits, its bits (first one lowest) in the low 16. */
export interface PrefixCode {
	lengths: Uint8Array;
	codes: Uint32Array;
	/** The only symbol, which then takes no bits at all; else null. */
	only: number | null;
}

/** More than any code has. */
const SYMBOLS = 4096;

/** An optimal code for the counts, no code longer than `longest` bits: rare symbols are counted as less rare until it fits. */
export function prefixCode(counts: Uint32Array, longest: number): PrefixCode {
	const used = [...counts.keys()].filter((symbol) => (counts[symbol] ?? 0) > 0);
	const lengths = new Uint8Array(counts.length);
	const codes = new Uint32Array(counts.length);
	const [first] = used;
	if (first === undefined || used.length === 1) {
		const only = first ?? 0;
		lengths[only] = 1;
		return { lengths, codes, only };
	}
	for (let least = 1; ; least *= 2) {
		if (treeDepths(used, counts, least, lengths) <= longest) break;
	}
	let code = 0;
	for (let length = 1; length <= longest; length++) {
		for (const symbol of used) {
			if (lengths[symbol] !== length) continue;
			codes[symbol] = (length << 16) | reversed(code, length);
			code++;
		}
		code <<= 1;
	}
	return { lengths, codes, only: null };
}

/** Fills in each used symbol's depth in a Huffman tree; returns the greatest. */
function treeDepths(used: number[], counts: Uint32Array, least: number, lengths: Uint8Array): number {
	const count = used.length;
	const total = 2 * count - 1;
	// Sorted as numbers, by weight and then by symbol: a function that compares would take most of the time.
	const leaves = new Float64Array(count);
	for (let at = 0; at < count; at++) {
		const symbol = used[at] as number;
		leaves[at] = Math.max(counts[symbol] as number, least) * SYMBOLS + symbol;
	}
	leaves.sort();
	const weights = new Float64Array(total);
	for (let at = 0; at < count; at++) weights[at] = Math.floor((leaves[at] as number) / SYMBOLS);
	const parents = new Uint16Array(total);
	let leaf = 0;
	let branch = count;
	for (let node = count; node < total; node++) {
		for (let child = 0; child < 2; child++) {
			const leafIsLighter =
				leaf < count && (branch >= node || (weights[leaf] as number) <= (weights[branch] as number));
			const lightest = leafIsLighter ? leaf++ : branch++;
			parents[lightest] = node;
			weights[node] = (weights[node] as number) + (weights[lightest] as number);
		}
	}
	const depths = new Uint16Array(total);
	let deepest = 0;
	for (let node = total - 2; node >= 0; node--) {
		const depth = (depths[parents[node] as number] as number) + 1;
		depths[node] = depth;
		if (node >= count) continue;
		lengths[(leaves[node] as number) % SYMBOLS] = depth;
		deepest = Math.max(deepest, depth);
	}
	return deepest;
}

function reversed(code: number, length: number): number {
	let result = 0;
	for (let bit = 0; bit < length; bit++) result |= ((code >> bit) & 1) << (length - 1 - bit);
	return result;
}
