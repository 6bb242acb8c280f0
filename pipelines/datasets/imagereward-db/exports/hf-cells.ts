import { fileNameOf } from "../../../export/job.js";
import type { ExportCell, ImageRow } from "../../../ports/exports.js";

/** An image still to be read. */
interface ImageCell {
	image: ImageRow;
}

export type LazyCell = string | number | null | number[] | ImageCell | ImageCell[];

/** The cell with its images read. */
export async function loadCell(cell: LazyCell, bytesOf: (image: ImageRow) => Promise<Buffer>): Promise<ExportCell> {
	const load = async ({ image }: ImageCell) => ({ bytes: await bytesOf(image), path: fileNameOf(image) });
	if (cell === null || typeof cell === "string" || typeof cell === "number") return cell;
	if (!Array.isArray(cell)) return load(cell);
	if (cell.every((item) => typeof item === "number")) return cell;
	return Promise.all((cell as ImageCell[]).map(load)); // an array is all of one kind
}
