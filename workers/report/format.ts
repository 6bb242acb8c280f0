/** Texts for people: sizes, durations, tables of 80 columns. */

/** `1.23 GB`, decimal units as the dataset's card has them. */
export function sizeText(bytes: number): string {
	for (const [unit, size] of [
		["GB", 1e9],
		["MB", 1e6],
		["kB", 1e3],
	] as const) {
		if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
	}
	return `${bytes} B`;
}

export function durationText(seconds: number): string {
	if (seconds < 60) return `${seconds.toFixed(1)} s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
	return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1,234,567` */
export function countText(count: number): string {
	return count.toLocaleString("en-US");
}

/** `1 shard`, `36 shards` */
export function countedText(count: number, noun: string): string {
	return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Rows as columns that line up; numbers to the right. The first row is the head. */
export function tableText(rows: (string | number)[][], indent = "  "): string {
	const texts = rows.map((row) => row.map((cell) => (typeof cell === "number" ? countText(cell) : cell)));
	const widths = (texts[0] ?? []).map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)));
	const lines = texts.map((row) => {
		const cells = row.map((cell, column) => {
			const width = widths[column] ?? 0;
			return column === 0 ? cell.padEnd(width) : cell.padStart(width);
		});
		return `${indent}${cells.join("  ")}`.trimEnd();
	});
	return lines.join("\n");
}

/** Text for a terminal: control characters, which the source's texts may hold, are shown and not obeyed. */
export function printable(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
	return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (control) => {
		return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
	});
}

/** A place in the lake as a person would write it, be the lake a folder or an address. */
export function placeText(lake: string, path: string): string {
	return `${lake.replace(/\/+$/, "")}/${path}`;
}

/** Lines of at most `width` columns, broken between words; a word that is longer, such as a path, is cut. */
export function wrapText(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (let word of text.split(" ")) {
		if (line !== "" && line.length + 1 + word.length <= width) {
			line += ` ${word}`;
			continue;
		}
		if (line !== "") lines.push(line);
		for (; word.length > width; word = word.slice(width)) lines.push(word.slice(0, width));
		line = word;
	}
	return [...lines, line];
}
