import { crc32, deflateSync } from "node:zlib";

/** PNG files as small as they come: 8 bits a channel, no filter, not interlaced (PNG, third edition). */

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Channels of each colour type, and the number that the header has for it. */
const COLOURS = { grey: { type: 0, channels: 1 }, rgb: { type: 2, channels: 3 }, rgba: { type: 6, channels: 4 } };
export type Colour = keyof typeof COLOURS;

/** Bytes of a picture of this size. @param sample the value of each channel of each pixel in turn */
export function png(colour: Colour, width: number, height: number, sample: () => number): Buffer {
	const row = () => Buffer.from([0, ...Array.from({ length: width * COLOURS[colour].channels }, sample)]);
	const pixels = Buffer.concat(Array.from({ length: height }, row));
	return pngOf(colour, width, height, deflateSync(pixels));
}

/** The same with whatever size in its header, and whatever data. */
export function pngOf(colour: Colour, width: number, height: number, data: Buffer): Buffer {
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header.set([8, COLOURS[colour].type, 0, 0, 0], 8);
	return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
	const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
	const whole = Buffer.alloc(named.length + 8);
	whole.writeUInt32BE(data.length, 0);
	whole.set(named, 4);
	whole.writeUInt32BE(crc32(named), named.length + 4);
	return whole;
}
