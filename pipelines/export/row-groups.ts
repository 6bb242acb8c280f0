/** Cutting rows into files and row groups by their number and size. */

export interface Limits {
	/** Most rows of one row group. */
	groupRows: number;
	/** Most image bytes of one row group, so that writing and reading it takes little memory; a larger row stands alone. */
	groupBytes: number;
	/** Most image bytes of one file. */
	fileBytes: number;
}

/**
 * Row groups of about 100 rows. 48 MB of images make 100 of the dataset's, and with them the writer stays near 500 MB;
 * files stay below 500 MB with what stands beside the images.
 */
export const LIMITS: Limits = { groupRows: 100, groupBytes: 48e6, fileBytes: 460e6 };

/** Files of row groups of rows, in order: files → groups → rows. @param bytesOf bytes of the images that a row holds */
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
