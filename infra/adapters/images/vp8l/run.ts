import { Stream } from "./bits";
import { GROUP_BYTES } from "./code-group";

/** Where an image's decoding stands. A run is what one code group decodes at a stretch: it ends where the row or the group's tile does. */
@unmanaged
export class Run {
	stream: Stream;
	/** Where the next pixel is written, and where the run ends. */
	next: usize;
	stop: usize;
	/** The run's first pixel, and its place. */
	private begun: usize;
	private column: u32;
	private row: u32;
	/** The tables of the run's group, and of the first group. */
	group: usize;
	groups: usize;
	/** Which group a tile has: words whose red and green tell it; 0 when there is one group for all. */
	tiles: usize;
	tileBits: u32;
	tilesAcross: u32;
	width: u32;

	/** The first run begins at `at`. */
	begin(at: usize, width: u32): void {
		this.width = width;
		this.next = at;
		this.column = 0;
		this.row = 0;
		this.beginRun();
	}

	/** To the run of the pixel that is next, which lies behind this run. */
	nextRun(): void {
		this.column += <u32>((this.next - this.begun) >> 2);
		while (this.column >= this.width) {
			this.column -= this.width;
			this.row += 1;
		}
		this.beginRun();
	}

	private beginRun(): void {
		let pixels = this.width - this.column;
		this.group = this.groups;
		if (this.tiles != 0) {
			const bits = this.tileBits;
			const tile = (this.row >> bits) * this.tilesAcross + (this.column >> bits);
			this.group += <usize>groupOf(this.tiles + (tile << 2)) * GROUP_BYTES;
			pixels = min(pixels, (1 << bits) - (this.column & ((1 << bits) - 1)));
		}
		this.begun = this.next;
		this.stop = this.next + (<usize>pixels << 2);
	}
}

/** The number of a tile's group. */
export function groupOf(tile: usize): u32 {
	const pixel = load<u32>(tile);
	return ((pixel >> 8) & 0xff00) | (pixel >> 24);
}
