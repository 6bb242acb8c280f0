/** `objects/sha256/<aa>/<sha256>.<ext>`, with its hash and what stands after it. */
const OBJECT = /^objects\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})(\.\w+)$/;

/** Which objects the lake has, by path and size. A hash is kept as 32 characters: 62,600 objects take about 6 MB. */
export class ObjectIndex {
	readonly #sizes = new Map<string, number>();

	add(path: string, bytes: number): void {
		this.#sizes.set(short(path), bytes);
	}

	/** Size in bytes, or undefined when it is not there. */
	size(path: string): number | undefined {
		return this.#sizes.get(short(path));
	}
}

function short(path: string): string {
	const [, hash, ending] = OBJECT.exec(path) ?? [];
	return hash === undefined ? path : Buffer.from(hash, "hex").toString("latin1") + ending;
}

/** The SHA-256 that an object's name tells, as base64; null for other paths. */
export function checksumByName(path: string): string | null {
	const hash = OBJECT.exec(path)?.[1];
	return hash === undefined ? null : Buffer.from(hash, "hex").toString("base64");
}
