/**
 * Decoding of lossless WebP's bit stream (RFC 9649, section 3), as libwebp's encoder writes it, to RGBA. Decoding stops at
 * everything unusual, damage or not: a colour-indexed picture, transforms in another order, more code groups than there is
 * room for. Another decoder has to judge those; what is decoded here is what every decoder makes of it.
 *
 * For each row: `coded-image.ts` (bits to pixels), `colour.ts`, `predict.ts`, `colour.ts` (to RGBA).
 */

import { openStream, overrun, read } from "./bits";
import { addColour, toRgba } from "./colour";
import { beginPicture, readRows, readTiles, tilesOf } from "./coded-image";
import { predictFirstRow, predictRow } from "./predict";
import { openRoom, takeRoom } from "./room";

export { all, cells, scan, sums } from "./luma";

/** Where memory begins that nothing here uses: the caller's. */
export const heap: usize = __heap_base;

/** What stands before the transforms: the signature, size, alpha and version, which the caller has read. */
const HEADER_BYTES: usize = 5;
/** What is read and written behind a row. */
const SLACK_BYTES: usize = 16;

/**
 * More pixels than a copy can reach back: 2^20 - 120. So far behind the frame's begin the picture before its transforms
 * begins, and finished rows overwrite what no copy asks for any more.
 */
const FARTHEST: u32 = 1 << 20;

const PREDICTOR: u32 = 0;
const COLOUR: u32 = 1;
const SUBTRACT_GREEN: u32 = 2;

/** The picture's transforms. Tiles are 0 when there is no such transform. */
let addsGreen: bool = false;
let predictors: usize = 0;
let predictorBits: u32 = 0;
let colours: usize = 0;
let colourBits: u32 = 0;

/** How many bytes of memory a frame needs; the first `width` · `height` · 4 of them are the decoded picture. */
export function frameBytes(width: u32, height: u32): usize {
	return imageAt(width, height) + ((<usize>width * height) << 2) + SLACK_BYTES;
}

/** Where in the frame the picture lies before its transforms. */
function imageAt(width: u32, height: u32): usize {
	return <usize>min(width * height, FARTHEST) << 2;
}

/**
 * Decodes the stream (the `VP8L` chunk's payload) from `input` up to `inputEnd` to `frame`, which is followed by the
 * memory that it needs. Memory from `room` up to `roomEnd` is used for everything else. False when another decoder has to
 * try: the frame then holds nothing of use.
 */
export function decode(
	input: usize, inputEnd: usize, width: u32, height: u32, frame: usize, room: usize, roomEnd: usize,
): bool {
	openStream(input + HEADER_BYTES, inputEnd);
	openRoom(room, roomEnd);
	if (!readTransforms(width, height)) return false;
	const image = frame + imageAt(width, height);
	if (!beginPicture(image, width, height)) return false;
	return decodeRows(image, width, height, frame) && !overrun();
}

/** In the order of libwebp's encoder, each at most once. */
function readTransforms(width: u32, height: u32): bool {
	addsGreen = false;
	predictors = 0;
	colours = 0;
	while (read(1)) {
		const kind = read(2);
		if (kind == SUBTRACT_GREEN) {
			if (addsGreen || predictors != 0 || colours != 0) return false;
			addsGreen = true;
		} else if (kind == PREDICTOR) {
			if (predictors != 0 || colours != 0) return false;
			predictorBits = 2 + read(3);
			predictors = readTiles(tilesOf(width, predictorBits), tilesOf(height, predictorBits));
			if (predictors == 0) return false;
		} else if (kind == COLOUR) {
			if (colours != 0) return false;
			colourBits = 2 + read(3);
			colours = readTiles(tilesOf(width, colourBits), tilesOf(height, colourBits));
			if (colours == 0) return false;
		} else return false;
	}
	return true;
}

function decodeRows(image: usize, width: u32, height: u32, frame: usize): bool {
	const rowBytes = <usize>width << 2;
	const coloured = takeRoom(rowBytes + SLACK_BYTES);
	let predicted = takeRoom(rowBytes + SLACK_BYTES);
	let above = takeRoom(rowBytes + SLACK_BYTES);
	if (coloured == 0 || predicted == 0 || above == 0) return false;
	for (let y: u32 = 0; y < height; y++) {
		if (!readRows(y + 1)) return false;
		let row = image + <usize>y * rowBytes;
		if (colours != 0) {
			addColour(row, coloured, width, tileRow(colours, colourBits, width, y), colourBits);
			row = coloured;
		}
		if (predictors != 0) {
			if (y == 0) predictFirstRow(row, predicted, width);
			else if (!predictRow(row, predicted, above, width, tileRow(predictors, predictorBits, width, y), predictorBits)) {
				return false;
			}
			row = predicted;
			predicted = above;
			above = row;
		}
		toRgba(row, frame + <usize>y * rowBytes, width, addsGreen);
	}
	return true;
}

/** The first of the tiles in which row `y` lies. */
function tileRow(tiles: usize, bits: u32, width: u32, y: u32): usize {
	return tiles + (((y >> bits) * tilesOf(width, bits)) << 2);
}
