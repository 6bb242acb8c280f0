import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** SHA-256 of a local file, streamed; 64 hex digits. Throws the system's error when it cannot be read. */
export async function hashFile(
	path: string,
	options: { signal?: AbortSignal; onBytes?: (bytes: number) => void } = {},
): Promise<string> {
	const hash = createHash("sha256");
	const chunks = createReadStream(path, {
		highWaterMark: 1 << 20,
		...(options.signal ? { signal: options.signal } : {}),
	});
	for await (const chunk of chunks as AsyncIterable<Buffer>) {
		hash.update(chunk);
		options.onBytes?.(chunk.length);
	}
	return hash.digest("hex");
}
