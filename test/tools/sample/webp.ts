/** The WebP container (RFC 9649, section 2): a RIFF file of chunks, each padded to an even length. */

const VP8X_ANIMATION = 0x02;
const VP8X_XMP = 0x04;
const VP8X_ALPHA = 0x10;

/** One chunk with its header and padding. */
export function chunk(name: string, payload: Uint8Array): Buffer {
	const header = Buffer.alloc(8);
	header.write(name, "latin1");
	header.writeUInt32LE(payload.length, 4);
	return Buffer.concat([header, payload, Buffer.alloc(payload.length % 2)]);
}

/** A WebP of these chunks. */
export function riff(chunks: Uint8Array[]): Buffer {
	const body = Buffer.concat(chunks);
	const header = Buffer.alloc(12);
	header.write("RIFF", "latin1");
	header.writeUInt32LE(body.length + 4, 4);
	header.write("WEBP", 8, "latin1");
	return Buffer.concat([header, body]);
}

/** The payload of the first chunk of this name. Throws when there is none. */
export function payloadOf(webp: Buffer, name: string): Buffer {
	for (let at = 12; at + 8 <= webp.length; ) {
		const bytes = webp.readUInt32LE(at + 4);
		if (webp.toString("latin1", at, at + 4) === name) return webp.subarray(at + 8, at + 8 + bytes);
		at += 8 + bytes + (bytes % 2);
	}
	throw new Error(`the WebP has no chunk ${name}`);
}

interface Vp8lHeader {
	width: number;
	height: number;
	alpha: boolean;
}

function vp8lHeader(vp8l: Buffer): Vp8lHeader {
	const bits = vp8l.readUInt32LE(1);
	return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, alpha: ((bits >>> 28) & 1) === 1 };
}

/** A copy of a VP8L payload that claims another size. */
export function withClaimedSize(vp8l: Buffer, width: number, height: number): Buffer {
	const copy = Buffer.from(vp8l);
	const flags = copy.readUInt32LE(1) & 0xf0000000;
	copy.writeUInt32LE((flags | (width - 1) | ((height - 1) << 14)) >>> 0, 1);
	return copy;
}

function vp8x(flags: number, { width, height, alpha }: Vp8lHeader): Buffer {
	const payload = Buffer.alloc(10);
	payload.writeUInt8(flags | (alpha ? VP8X_ALPHA : 0));
	payload.writeUIntLE(width - 1, 4, 3);
	payload.writeUIntLE(height - 1, 7, 3);
	return chunk("VP8X", payload);
}

/** The same pixels in a file of its own: the original VP8L chunk, and an XMP chunk that holds `text`. */
export function withXmp(webp: Buffer, text: string): Buffer {
	const vp8l = payloadOf(webp, "VP8L");
	return riff([vp8x(VP8X_XMP, vp8lHeader(vp8l)), chunk("VP8L", vp8l), chunk("XMP ", Buffer.from(text))]);
}

/** An animation that shows the picture twice, a tenth of a second each. */
export function animation(webp: Buffer): Buffer {
	const vp8l = payloadOf(webp, "VP8L");
	const header = vp8lHeader(vp8l);
	const place = Buffer.alloc(16);
	place.writeUIntLE(header.width - 1, 6, 3);
	place.writeUIntLE(header.height - 1, 9, 3);
	place.writeUIntLE(100, 12, 3);
	const frame = chunk("ANMF", Buffer.concat([place, chunk("VP8L", vp8l)]));
	return riff([vp8x(VP8X_ANIMATION, header), chunk("ANIM", Buffer.alloc(6)), frame, frame]);
}
