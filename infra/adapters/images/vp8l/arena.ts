/** Memory for one picture's tables and rows: taken from the front, given back all at once or down to a mark. */

let top: usize = 0;
let limit: usize = 0;

/** From here on rooms are taken from `from` up to `to`. */
export function openRoom(from: usize, to: usize): void {
	top = (from + 15) & ~15;
	limit = to;
}

/** `bytes` bytes, aligned to 16; 0 when there are not that many. What they hold is not defined. */
export function takeRoom(bytes: usize): usize {
	if (bytes > freeRoom()) return 0;
	const at = top;
	top = (top + bytes + 15) & ~15;
	return at;
}

export function freeRoom(): usize {
	return limit > top ? limit - top : 0;
}

export function roomMark(): usize {
	return top;
}

/** Gives back all that was taken since `mark`. */
export function backToMark(mark: usize): void {
	top = mark;
}
