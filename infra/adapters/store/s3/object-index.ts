/** `objects/sha256/<aa>/<sha256>.<ext>`; captures the hash and the extension. */
const OBJECT = /^objects\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})(\.\w+)$/;

/** Sizes of the lake's objects, by path. Hashes are kept as 32 characters each, so 62,600 objects take about 6 MB. */
export class ObjectIndex {
	readonly #sizes = new Map<string, number>();

	add(path: string, bytes: number): void {
		this.#sizes.set(compact(path), bytes);
	}

	/** Size in bytes, or undefined when absent. */
	size(path: string): number | undefined {
		return this.#sizes.get(compact(path));
	}
}

function compact(path: string): string {
	const [, hash, extension] = OBJECT.exec(path) ?? [];
	return hash === undefined ? path : Buffer.from(hash, "hex").toString("latin1") + extension;
}

/** The SHA-256 in an object's name, as base64; null for other paths. */
export function checksumByName(path: string): string | null {
	const hash = OBJECT.exec(path)?.[1];
	return hash === undefined ? null : Buffer.from(hash, "hex").toString("base64");
}
