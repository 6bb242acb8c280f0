/**
 * Decoding of lossless WebP's bit stream (RFC 9649, section 3), as libwebp's encoder writes it, to RGBA. Decoding stops at
 * everything unusual, damage or not: transforms in another order, more code groups than there is room for. Another decoder has to judge those; what is decoded here is what every decoder makes of it.
 *
 * For each row: `coded-image.ts` (bits to pixels), `colour.ts`, `predict.ts`, `colour.ts` or `indexed.ts` (to RGBA).
 */

import { Stream } from "./bits";
import { addColour, toRgba } from "./colour";
import { CodedImage, openImage, readRows, readRowsOfTwo, readTiles, tilesOf } from "./coded-image";
import { bundleBitsOf, colourRow, readColours } from "./indexed";
import { predictFirstRow, predictRow } from "./predict";
import { takeRoom } from "./arena";

export { all, cells, scan, sums } from "./luma";
export { openRoom } from "./arena";

/** Where memory begins that nothing here uses: the caller's. */
export const heap: usize = __heap_base;

/** What stands before the transforms: the signature, size, alpha and version, which the caller has read. */
const HEADER_BYTES: usize = 5;
/** What is read and written behind a row. */
const SLACK_BYTES: usize = 16;

/**
 * More pixels than a copy can reach back: 2^20 - 120. So far behind the frame's end the picture before its transforms ends,
 * and finished rows overwrite what no copy asks for any more.
 */
const FARTHEST: u32 = 1 << 20;

const PREDICTOR: u32 = 0;
const SUBTRACT_GREEN: u32 = 2;
const COLOUR_INDEXING: u32 = 3;

/** How many bytes of memory a frame needs; the first `width` · `height` · 4 of them are the decoded picture. */
export function frameBytes(width: u32, height: u32): usize {
	return imageEnd(width, height) + SLACK_BYTES;
}

/** Where in the frame the picture ends before its transforms. */
function imageEnd(width: u32, height: u32): usize {
	return (<usize>min(width * height, FARTHEST) + <usize>width * height) << 2;
}

/** A picture while it is decoded. Tiles are 0 when there is no such transform. */
@unmanaged
class Picture {
	frame: usize;
	width: u32;
	height: u32;
	stream: Stream;
	image: CodedImage;
	/** Pixels in a row of the image: fewer than in the picture's where one tells several. */
	imageWidth: u32;
	/** The colours of a colour-indexed picture, or 0. */
	indexed: usize;
	bundleBits: u32;
	addsGreen: bool;
	predictors: usize;
	predictorBits: u32;
	colours: usize;
	colourBits: u32;
	/** Rows on their way: without their colour transform, without their prediction, and the one before. */
	coloured: usize;
	predicted: usize;
	above: usize;
	/** Rows of the frame that are complete. */
	done: u32;

	/** In the order of libwebp's encoder, each at most once. False when they are damaged or unusual. */
	readTransforms(): bool {
		const stream = this.stream;
		this.imageWidth = this.width;
		this.indexed = 0;
		this.addsGreen = false;
		this.predictors = 0;
		this.colours = 0;
		while (stream.read(1)) {
			const kind = stream.read(2);
			if (kind == COLOUR_INDEXING || kind == SUBTRACT_GREEN) {
				if (this.indexed != 0 || this.addsGreen || this.predictors != 0 || this.colours != 0) return false;
				if (kind == SUBTRACT_GREEN) this.addsGreen = true;
				else if (!this.readColours()) return false;
			} else if (kind == PREDICTOR) {
				if (this.predictors != 0 || this.colours != 0) return false;
				this.predictorBits = 2 + stream.read(3);
				this.predictors = this.readTilesOf(this.predictorBits);
				if (this.predictors == 0) return false;
			} else {
				if (this.colours != 0) return false;
				this.colourBits = 2 + stream.read(3);
				this.colours = this.readTilesOf(this.colourBits);
				if (this.colours == 0) return false;
			}
		}
		return true;
	}

	private readColours(): bool {
		const count = this.stream.read(8) + 1;
		this.bundleBits = bundleBitsOf(count);
		this.imageWidth = tilesOf(this.width, this.bundleBits);
		this.indexed = readColours(this.stream, count);
		return this.indexed != 0;
	}

	private readTilesOf(bits: u32): usize {
		return readTiles(this.stream, tilesOf(this.imageWidth, bits), tilesOf(this.height, bits));
	}

	/** Takes rooms for rows. False when there are none. */
	takeRows(): bool {
		const bytes = (<usize>this.imageWidth << 2) + SLACK_BYTES;
		this.coloured = takeRoom(bytes);
		this.predicted = takeRoom(bytes);
		this.above = takeRoom(bytes);
		return this.coloured != 0 && this.predicted != 0 && this.above != 0;
	}

	/** Decodes the next row; its pixels may have been read. False when it is damaged or unusual. */
	decodeRow(): bool {
		const width = this.imageWidth;
		const y = this.done;
		if (!readRows(this.image, y + 1)) return false;
		let row = this.image.rowsEnd(y);
		if (this.colours != 0) {
			addColour(row, this.coloured, width, this.tileRow(this.colours, this.colourBits), this.colourBits);
			row = this.coloured;
		}
		if (this.predictors != 0) {
			const to = this.predicted;
			const above = this.above;
			const bits = this.predictorBits;
			if (y == 0) predictFirstRow(row, to, width);
			else if (!predictRow(row, to, above, width, this.tileRow(this.predictors, bits), bits)) return false;
			row = to;
			this.predicted = above;
			this.above = to;
		}
		const to = this.frame + ((<usize>y * this.width) << 2);
		if (this.indexed != 0) colourRow(row, to, this.width, this.indexed, this.bundleBits);
		else toRgba(row, to, width, this.addsGreen);
		this.done = y + 1;
		return true;
	}

	/** The first of the tiles in which the next row lies. */
	private tileRow(tiles: usize, bits: u32): usize {
		return tiles + (((this.done >> bits) * tilesOf(this.imageWidth, bits)) << 2);
	}
}

/**
 * Opens the stream (the `VP8L` chunk's payload) from `input` up to `inputEnd`, to be decoded to `frame`, which has
 * `frameBytes`. Everything else that is needed comes from the room, which `openRoom` opened. Null when another decoder has
 * to try.
 */
export function openPicture(input: usize, inputEnd: usize, width: u32, height: u32, frame: usize): Picture | null {
	const at = takeRoom(offsetof<Picture>());
	const streamAt = takeRoom(offsetof<Stream>());
	if (at == 0 || streamAt == 0) return null;
	const picture = changetype<Picture>(at);
	const stream = changetype<Stream>(streamAt);
	stream.open(input + HEADER_BYTES, inputEnd);
	picture.stream = stream;
	picture.frame = frame;
	picture.width = width;
	picture.height = height;
	picture.done = 0;
	if (!picture.readTransforms() || !picture.takeRows()) return null;
	const imageWidth = picture.imageWidth;
	const imageBegin = frame + imageEnd(width, height) - ((<usize>imageWidth * height) << 2);
	const image = openImage(stream, imageBegin, imageWidth, height);
	if (image == null) return null;
	picture.image = image;
	return picture;
}

/** Decodes two pictures in turn, row by row, until one of them is complete or is not to be decoded further. */
export function decodeTogether(a: Picture, b: Picture): void {
	while (a.done < a.height && b.done < b.height && !a.image.damaged && !b.image.damaged) {
		const aRows = a.done + 1;
		const bRows = b.done + 1;
		readRowsOfTwo(a.image, aRows, b.image, bRows);
		if (a.image.hasRows(aRows) && !a.decodeRow()) return;
		if (b.image.hasRows(bRows) && !b.decodeRow()) return;
	}
}

/** Decodes what is left of a picture. False when another decoder has to try: the frame then holds nothing of use. */
export function finish(picture: Picture): bool {
	while (picture.done < picture.height) if (!picture.decodeRow()) return false;
	return !picture.stream.overrun();
}
