import { createHash } from "node:crypto";

const HASH_LENGTH = 64;

function hash(body: Buffer): string {
	return createHash("sha256").update(body).digest("hex");
}

/** `bytes` bytes made of `seed`, and their own SHA-256 before them. */
export function sealed(seed: string, bytes: number): Buffer {
	const body = Buffer.alloc(bytes, seed);
	return Buffer.concat([Buffer.from(hash(body)), body]);
}

/** Whether the content is whole, as `sealed` made it. */
export function isSealed(content: Buffer): boolean {
	return content.subarray(0, HASH_LENGTH).toString() === hash(content.subarray(HASH_LENGTH));
}
