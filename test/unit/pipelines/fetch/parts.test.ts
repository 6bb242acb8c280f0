import { createHash, randomBytes } from "node:crypto";
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { download } from "../../../../pipelines/fetch/download.js";
import { sweepParts } from "../../../../pipelines/fetch/parts.js";
import type { Source, SourceFile } from "../../../../pipelines/ports/source.js";
import { DEAD_SECONDS } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import type { LakeError } from "../../../../schemas/errors.js";
import { ELSEWHERE, markElsewhere, setBack } from "../../../support/namespace.js";
import { tempDir } from "../../../support/root.js";

/** A part belongs to one process, wherever that is: nobody takes it while it lives, and it notices when it was taken. */

const ZIP = randomBytes(10_000);
const SHA256 = createHash("sha256").update(ZIP).digest("hex");
const FILE: SourceFile = { path: "a.zip", bytes: ZIP.length, sha256: SHA256, gitOid: null };
const LIVE = DEAD_SECONDS - 5;
const DEAD = DEAD_SECONDS + 1;

let scratch: ReturnType<typeof tempDir>;
let folder: string;
/** Where the source was asked to begin. */
let offsets: number[];
let told: LakeError[];
let restarts: number;

beforeEach(() => {
	scratch = tempDir("parts");
	folder = join(scratch.path, "parts");
	mkdirSync(folder);
	offsets = [];
	told = [];
	restarts = 0;
});
afterEach(() => scratch.remove());

/** Downloads the file from a source that sends it in two chunks, with `between` in between. */
function get(between: () => void = () => undefined, signal = new AbortController().signal) {
	const source: Source = {
		name: "fake",
		list: () => Promise.reject(new Error("not listed")),
		localPath: () => null,
		close: async () => undefined,
		async *read(_file, offset) {
			offsets.push(offset);
			const middle = Math.ceil((offset + ZIP.length) / 2);
			yield Buffer.from(ZIP.subarray(offset, middle));
			between();
			yield Buffer.from(ZIP.subarray(middle));
		},
		readRange: () => {
			throw new Error("a whole file needs no ranges");
		},
	};
	return download(source, FILE, {
		scratch: scratch.path,
		clock: { now: () => 0, sleep: async () => undefined },
		signal,
		onBytes: () => undefined,
		onRestart: () => {
			restarts += 1;
		},
		onRetry: (error) => told.push(error),
	});
}

function partElsewhere(bytes: number): string {
	const path = join(folder, `${SHA256}.${ELSEWHERE}-1.part`);
	writeFileSync(path, ZIP.subarray(0, bytes));
	return path;
}

describe("a part of another container", () => {
	test("is left alone while its owner touches its mark", async () => {
		const theirs = partElsewhere(4000);
		markElsewhere(scratch.path, LIVE);
		await get();
		expect({ offsets, theirs: readFileSync(theirs).length }).toEqual({ offsets: [0], theirs: 4000 });
	});

	test.each([
		["whose owner did not touch its mark for a minute", () => markElsewhere(scratch.path, DEAD)],
		["whose owner ended in good order", () => undefined],
	])("%s is gone on with", async (_, mark) => {
		partElsewhere(4000);
		mark();
		const done = await get();
		expect(offsets).toEqual([4000]);
		expect(readdirSync(folder).map((name) => join(folder, name))).toEqual([done.path]);
	});

	test("that was gone on with cannot be spoilt by its owner, who only stood still", async () => {
		const theirs = openSync(partElsewhere(4000), "r+");
		markElsewhere(scratch.path, DEAD);
		const done = await get(() => writeSync(theirs, Buffer.alloc(ZIP.length, 7), 0, ZIP.length, 0));
		closeSync(theirs);
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
	});

	test("is swept when it is old and its owner dead, and only then", async () => {
		const theirs = partElsewhere(4000);
		const ranges = join(scratch.path, "ranges");
		mkdirSync(ranges);
		writeFileSync(join(ranges, `${SHA256}.${ELSEWHERE}-1.sparse`), "");
		setBack(theirs, 15 * 24 * 3600);
		markElsewhere(scratch.path, LIVE);
		await sweepParts(scratch.path);
		expect([existsSync(theirs), readdirSync(ranges).length]).toEqual([true, 1]);
		markElsewhere(scratch.path, DEAD);
		await sweepParts(scratch.path);
		expect([existsSync(theirs), readdirSync(ranges).length]).toEqual([false, 0]);
	});
});

describe("a part of this process", () => {
	const own = () => readdirSync(folder).map((name) => join(folder, name))[0] ?? "";

	test("comes with this process's mark", async () => {
		await get(() => expect(existsSync(join(scratch.path, "owners", ownerId()))).toBe(true));
	});

	test("that another one took is missed before its bytes count; the download begins again", async () => {
		let taken = false;
		const done = await get(() => {
			if (!taken) rmSync(own());
			taken = true;
		});
		expect({ offsets, restarts, told }).toMatchObject({ offsets: [0, 0], restarts: 1, told: [{ code: "TAKEN_OVER" }] });
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
	});

	test("that is taken again and again ends the download with an error that may pass", async () => {
		await expect(get(() => rmSync(own()))).rejects.toMatchObject({ code: "TAKEN_OVER", retry: true, exit: 1 });
	});

	test("never has the name of an earlier one, which an image thread may still have open", async () => {
		const abort = new AbortController();
		let first = "";
		const interrupt = () => {
			first = own();
			abort.abort(new Error("interrupted"));
			throw abort.signal.reason;
		};
		await expect(get(interrupt, abort.signal)).rejects.toThrow("interrupted");
		const done = await get();
		expect(offsets).toEqual([0, ZIP.length / 2]);
		expect(done.path).not.toBe(first);
		expect(existsSync(first)).toBe(false);
	});
});
