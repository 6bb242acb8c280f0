import { each } from "../each.js";
import type { ExportJob, ImageRow } from "../ports/exports.js";

/** `<id>.<ext>`, with the extension of the stored format. */
export function fileNameOf(image: ImageRow): string {
	return `${image.image_id}${image.object_key.slice(image.object_key.lastIndexOf("."))}`;
}

/** Rows by the value of a column, in the order in which each first appears; without a column each row by itself. */
export function groupsOf(rows: readonly ImageRow[], column: string | null): ImageRow[][] {
	if (column === null) return rows.map((row) => [row]);
	const groups = new Map<unknown, ImageRow[]>();
	for (const row of rows) {
		const group = groups.get(row[column]);
		if (group) group.push(row);
		else groups.set(row[column], [row]);
	}
	return [...groups.values()];
}

/** How many files are made at once: each is a call or two to the file system. */
const AT_ONCE = 16;

/** Gives every image a file of its own. */
export async function imageFiles(job: ExportJob, rows: ImageRow[], pathOf: (image: ImageRow) => string): Promise<void> {
	const link = async (image: ImageRow): Promise<void> => {
		await job.imageFile(pathOf(image), image);
		job.onImages(1);
	};
	await each(rows, AT_ONCE, link, job.signal);
}
