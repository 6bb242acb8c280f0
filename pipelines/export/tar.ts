/** Tar headers (POSIX.1-1988, "ustar"). Equal entries give equal bytes. */

const BLOCK = 512;

/** Bytes of an entry: header, content, and zeros up to a whole block. */
export function entrySize(bytes: number): number {
	return BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
}

/** Two blocks of zeros end an archive. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/**
 * The header of a regular file: owner root, readable by all, modified at the epoch.
 * @param name ASCII, at most 100 characters; @param bytes below 8 GiB
 */
export function tarHeader(name: string, bytes: number): Buffer {
	const header = Buffer.alloc(BLOCK);
	if (name.length > 100 || bytes >= 8 ** 11) throw new RangeError(`${name} does not fit a tar header`);
	header.write(name, 0, "ascii");
	octal(header, 100, 8, 0o644);
	octal(header, 108, 8, 0);
	octal(header, 116, 8, 0);
	octal(header, 124, 12, bytes);
	octal(header, 136, 12, 0);
	header.fill(" ", 148, 156);
	header.write("0", 156, "ascii");
	header.write("ustar\0" + "00", 257, "ascii");
	let sum = 0;
	for (const byte of header) sum += byte;
	header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "ascii");
	return header;
}

/** Zeros after an entry's content. */
export function tarPadding(bytes: number): Buffer {
	return Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK);
}

function octal(header: Buffer, at: number, width: number, value: number): void {
	header.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "ascii");
}
