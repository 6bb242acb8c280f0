import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Below this a folder is hashed faster than a cache file is worth. */
const WORTH_KEEPING = 256 * 1024 * 1024;
const savedHashes = z.record(z.string(), z.string());

/**
 * SHA-256s remembered by path, size, times and inode, so that a second start on 23 GB is fast.
 * Kept between processes for large folders only, in the system's temporary folder.
 */
export class HashCache {
	readonly #file: string;
	#known: Map<string, string>;
	#hashedBytes = 0;

	constructor(folder: string) {
		const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
		this.#file = join(tmpdir(), "irlake-hub-hashes", `${name}.json`);
		this.#known = new Map(Object.entries(this.#load()));
	}

	#load(): Record<string, string> {
		try {
			return savedHashes.parse(JSON.parse(readFileSync(this.#file, "utf8")));
		} catch {
			return {}; // absent or cut short: everything is hashed again
		}
	}

	get(key: string): string | undefined {
		return this.#known.get(key);
	}

	/** Replaces what is remembered by this scan's keys, so that the cache never outgrows the folder. */
	replace(entries: { key: string; sha256: string; size: number }[]): void {
		for (const entry of entries) if (!this.#known.has(entry.key)) this.#hashedBytes += entry.size;
		this.#known = new Map(entries.map((entry) => [entry.key, entry.sha256]));
		if (this.#hashedBytes < WORTH_KEEPING) return;
		this.#hashedBytes = 0;
		mkdirSync(join(this.#file, ".."), { recursive: true });
		const aside = `${this.#file}.${process.pid}`;
		writeFileSync(aside, JSON.stringify(Object.fromEntries(this.#known)));
		renameSync(aside, this.#file);
	}
}
