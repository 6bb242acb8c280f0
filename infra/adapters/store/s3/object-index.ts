import { objectFile } from "../../../../pipelines/lake/paths.js";

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
	const object = objectFile.parse(path);
	return object ? `${Buffer.from(object.sha256, "hex").toString("latin1")}.${object.extension}` : path;
}

/** The SHA-256 that an object's name tells, as base64; null for other paths. */
export function checksumByName(path: string): string | null {
	const object = objectFile.parse(path);
	return object && Buffer.from(object.sha256, "hex").toString("base64");
}
