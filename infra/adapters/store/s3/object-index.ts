import { objectFile } from "../../../../pipelines/lake/paths.js";

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
	const object = objectFile.parse(path);
	return object ? `${Buffer.from(object.sha256, "hex").toString("latin1")}.${object.extension}` : path;
}

/** The SHA-256 in an object's name, as base64; null for other paths. */
export function checksumByName(path: string): string | null {
	const object = objectFile.parse(path);
	return object && Buffer.from(object.sha256, "hex").toString("base64");
}
