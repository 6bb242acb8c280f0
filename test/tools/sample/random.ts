import { createHash } from "node:crypto";

/** A seeded source of numbers: the same text gives the same numbers on every machine. */
export class Random {
	#a: number;
	#b: number;
	#c: number;
	#d: number;

	constructor(seed: string) {
		const digest = createHash("sha256").update(seed).digest();
		this.#a = digest.readInt32LE(0);
		this.#b = digest.readInt32LE(4);
		this.#c = digest.readInt32LE(8);
		this.#d = 1;
	}

	/** 32 random bits, unsigned (the generator sfc32). */
	bits(): number {
		const sum = (this.#a + this.#b + this.#d) | 0;
		this.#d = (this.#d + 1) | 0;
		this.#a = this.#b ^ (this.#b >>> 9);
		this.#b = (this.#c + (this.#c << 3)) | 0;
		this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
		this.#c |= 0;
		return sum >>> 0;
	}

	/** An integer from `low` to `high`, both included. */
	int(low: number, high: number): number {
		return low + (this.bits() % (high - low + 1));
	}

	pick<T>(values: readonly T[]): T {
		const value = values[this.int(0, values.length - 1)];
		if (value === undefined) throw new RangeError("nothing to pick from");
		return value;
	}

	/** A lower-case version 4 UUID. */
	uuid(): string {
		const bytes = Buffer.alloc(16);
		for (let at = 0; at < 16; at += 4) bytes.writeUInt32LE(this.bits(), at);
		bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
		bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
		const hex = bytes.toString("hex");
		return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
	}
}
