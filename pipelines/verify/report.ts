/** What an audit found. Plain data; the command prints it. */

export type ProblemCode =
	| "OBJECT_MISSING"
	| "OBJECT_SIZE"
	| "OBJECT_HASH"
	| "FILE_MISSING"
	| "FILE_SIZE"
	| "FILE_HASH"
	| "RECORD_INVALID"
	| "LOG_MISMATCH"
	| "COUNT_MISMATCH";

export interface Problem {
	code: ProblemCode;
	path: string;
	detail: string;
}

/** How much was looked at. */
export interface Checked {
	snapshots: number;
	receipts: number;
	files: number;
	objects: number;
	bytes: number;
	/** Images decoded again, with `--deep`. */
	decoded: number;
	/** Zips of which a selective mirror fetched parts only, so that their own SHA-256 was never checked. */
	zips_unchecked: number;
}

export class Report {
	readonly problems: Problem[] = [];
	readonly checked: Checked = {
		snapshots: 0,
		receipts: 0,
		files: 0,
		objects: 0,
		bytes: 0,
		decoded: 0,
		zips_unchecked: 0,
	};

	add(code: ProblemCode, path: string, detail: string): void {
		this.problems.push({ code, path, detail });
	}
}
