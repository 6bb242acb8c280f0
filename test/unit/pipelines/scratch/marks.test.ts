import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import {
	BEAT_SECONDS,
	DEAD_SECONDS,
	despiteStandstills,
	dropMark,
	holdMark,
	ownerLives,
} from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { sweepMarks } from "../../../../pipelines/scratch/sweep-dead.js";
import { ELSEWHERE, markElsewhere, setBack } from "../../../support/namespace.js";
import { ROOT, tempDir } from "../../../support/root.js";

/** A process in another place lives for as long as it touches its mark; nobody's clock but the file system's counts. */

const HOUR = 3600;
const never = new AbortController().signal;
let root: ReturnType<typeof tempDir>;

beforeEach(() => {
	root = tempDir("marks");
});

afterEach(async () => {
	jest.restoreAllMocks();
	jest.useRealTimers();
	await dropMark(root.path);
	root.remove();
});

const thing = () => join(root.path, "thing");
const lives = (id = ELSEWHERE) => ownerLives(root.path, id, thing());
const ownMark = () => join(root.path, "owners", ownerId());
const names = () => (existsSync(join(root.path, "owners")) ? readdirSync(join(root.path, "owners")) : []);

describe("an owner elsewhere", () => {
	test("lives when its mark was touched a short while ago, and is dead when it was not for a minute", async () => {
		markElsewhere(root.path, DEAD_SECONDS - 5);
		expect(await lives()).toBe(true);
		markElsewhere(root.path, DEAD_SECONDS + 1);
		expect(await lives()).toBe(false);
	});

	test("is dead without a mark: it ended in good order", async () => {
		writeFileSync(thing(), "new");
		expect(await lives()).toBe(false);
		expect(names()).toEqual([]);
	});

	test.each([HOUR, -HOUR])("is judged alike by a machine whose clock is %p s off", async (off) => {
		const right = Date.now;
		jest.spyOn(Date, "now").mockImplementation(() => right() + off * 1000);
		markElsewhere(root.path, DEAD_SECONDS - 5);
		expect(await lives()).toBe(true);
		markElsewhere(root.path, DEAD_SECONDS + 1);
		expect(await lives()).toBe(false);
	});

	test("of release 0.1.0, which left no marks, is dead after a week", async () => {
		writeFileSync(thing(), "old");
		setBack(thing(), 6 * 24 * HOUR);
		expect(await lives("7-99-00000000")).toBe(true);
		setBack(thing(), 8 * 24 * HOUR);
		expect(await lives("7-99-00000000")).toBe(false);
	});

	test("lives where nobody can tell the time", async () => {
		markElsewhere(root.path, 2 * DEAD_SECONDS);
		expect(await ownerLives(join(root.path, "owners", ELSEWHERE), ELSEWHERE, thing())).toBe(true);
	});
});

describe("this process's mark", () => {
	test("is there while it owns anything, and its folder goes with the last one", async () => {
		holdMark(root.path);
		expect(names()).toEqual([ownerId()]);
		await dropMark(root.path);
		expect(existsSync(join(root.path, "owners"))).toBe(false);
	});

	test("is touched at every beat, with the file system's time whatever this machine's clock says", async () => {
		jest.useFakeTimers({ now: 1_000_000, doNotFake: ["nextTick", "setImmediate", "queueMicrotask", "performance"] });
		holdMark(root.path);
		setBack(ownMark(), 30);
		const before = statSync(ownMark()).mtimeMs;
		jest.advanceTimersByTime(BEAT_SECONDS * 1000 - 1);
		await setTimeout(100);
		expect(statSync(ownMark()).mtimeMs).toBe(before);
		jest.advanceTimersByTime(1);
		for (let tries = 0; tries < 400 && statSync(ownMark()).mtimeMs === before; tries++) await setTimeout(5);
		expect(statSync(ownMark()).mtimeMs - before).toBeGreaterThan(25_000);
		expect(statSync(ownMark()).mtimeMs - before).toBeLessThan(60_000);
	});

	test.each([
		["the process's end", "", 0],
		["a SIGKILL, and then a sweep", "process.kill(process.pid, 'SIGKILL')", 1],
	])("does not outlive %s", async (_, end, left) => {
		const marks = JSON.stringify(pathToFileURL(join(ROOT, "dist/pipelines/scratch/marks.js")).href);
		const code = `import(${marks}).then((m) => { m.holdMark(${JSON.stringify(root.path)}); ${end} });`;
		const child = spawn(process.execPath, ["-e", code], { stdio: "inherit" });
		await once(child, "exit");
		expect(names()).toHaveLength(left);
		await sweepMarks(root.path);
		expect(names()).toEqual([]);
	});
});

test("a sweep takes the marks of the dead, here and elsewhere, and leaves those of the living", async () => {
	holdMark(root.path);
	markElsewhere(root.path, DEAD_SECONDS - 5);
	writeFileSync(join(root.path, "owners", `${process.pid}-01-${ownerId().split("-")[2]}`), "");
	await sweepMarks(root.path);
	expect(names().sort()).toEqual([ownerId(), ELSEWHERE].sort());
	markElsewhere(root.path, DEAD_SECONDS + 1);
	await sweepMarks(root.path);
	expect(names()).toEqual([ownerId()]);
});

describe("work that fails", () => {
	/** Fails once, after `before`; returns how often it was done. */
	async function failing(before: () => void, signal = never): Promise<number> {
		let done = 0;
		const work = async () => {
			done += 1;
			if (done > 1) return;
			before();
			throw new Error("something is gone");
		};
		holdMark(root.path);
		await despiteStandstills(work, () => undefined, signal).catch(() => undefined);
		return done;
	}

	test("is done again where the process stood still for a minute, and not where it did not", async () => {
		expect(await failing(() => setBack(ownMark(), DEAD_SECONDS + 1))).toBe(2);
		expect(await failing(() => setBack(ownMark(), DEAD_SECONDS - 5))).toBe(1);
	});

	test("is done again where another process removed the mark, which is set anew", async () => {
		expect(await failing(() => rmSync(ownMark()))).toBe(2);
		expect(names()).toEqual([ownerId()]);
	});

	test("is not done again once it is aborted", async () => {
		const abort = new AbortController();
		const ends = () => {
			setBack(ownMark(), DEAD_SECONDS + 1);
			abort.abort();
		};
		expect(await failing(ends, abort.signal)).toBe(1);
	});

	test("is not done again for a folder that was removed whole", async () => {
		expect(await failing(() => rmSync(root.path, { recursive: true }))).toBe(1);
		expect(existsSync(root.path)).toBe(false);
		mkdirSync(root.path);
	});
});

test("a mark that is touched every 10 s is dead after 60 s: five touches may fail", () => {
	expect(DEAD_SECONDS).toBe(60);
});
