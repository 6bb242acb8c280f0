/** Cuts rows into files and row groups by number and size. */

interface Limits {
	/** Most rows in a row group. */
	groupRows: number;
	/** Most image bytes in a row group, which bounds the memory to write and read it; a larger row stands alone. */
	groupBytes: number;
	/** Most image bytes in a file. */
	fileBytes: number;
}

/**
 * 48 MB are about 100 of the dataset's images, with which the writer's memory stays near 500 MB. Files stay below 500 MB
 * with all other columns.
 */
const LIMITS: Limits = { groupRows: 100, groupBytes: 48e6, fileBytes: 460e6 };

/** The rows in order, as files of row groups of rows. @param bytesOf bytes of a row's images */
export function cutRows<Row>(rows: Row[], bytesOf: (row: Row) => number, limits: Limits = LIMITS): Row[][][] {
	const files: Row[][][] = [];
	let fileBytes = 0;
	let groupBytes = 0;
	for (const row of rows) {
		const bytes = bytesOf(row);
		const groups = files.at(-1);
		const group = groups?.at(-1);
		if (!groups || !group || fileBytes + bytes > limits.fileBytes) {
			files.push([[row]]);
			[fileBytes, groupBytes] = [bytes, bytes];
			continue;
		}
		fileBytes += bytes;
		if (group.length >= limits.groupRows || groupBytes + bytes > limits.groupBytes) {
			groups.push([row]);
			groupBytes = bytes;
		} else {
			group.push(row);
			groupBytes += bytes;
		}
	}
	return files;
}
