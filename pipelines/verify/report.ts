/** What an audit found and what was repaired. Plain data; the command prints it. */

type ProblemCode =
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

/** How much was checked. */
interface Checked {
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

function notRepaired(why: string): string {
	return `; not repaired: ${why}`;
}

export class Report {
	/** Problems that remain. */
	problems: Problem[] = [];
	readonly repaired: Omit<Problem, "detail">[] = [];
	/** Paths whose bytes are missing or wrong: a repair may write these and no others. */
	readonly damaged = new Set<string>();
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

	/** Adds a file or object whose bytes are missing or wrong. */
	damage(code: ProblemCode, path: string, detail: string): void {
		this.damaged.add(path);
		this.add(code, path, detail);
	}

	/** A damaged path is as recorded again. */
	mended(path: string): void {
		if (!this.damaged.delete(path)) return;
		for (const { code } of this.problems.filter((problem) => problem.path === path)) this.repaired.push({ code, path });
		this.problems = this.problems.filter((problem) => problem.path !== path);
	}

	/** A damaged path remains damaged. */
	remains(path: string, why: string): void {
		for (const problem of this.problems) if (problem.path === path) problem.detail += notRepaired(why);
	}

	/** Adds to each problem that is not damage why no repair was tried. */
	unmendable(why: (problem: Problem) => string): void {
		for (const problem of this.problems)
			if (!this.damaged.has(problem.path)) problem.detail += notRepaired(why(problem));
	}

	sort(): void {
		const byPath = (a: { path: string }, b: { path: string }): number =>
			a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
		this.problems.sort(byPath);
		this.repaired.sort(byPath);
	}
}
