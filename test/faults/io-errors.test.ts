import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliDocument, documentOf } from "../support/cli.js";
import type { Fault } from "../support/fault.js";
import { digestOf, readPinned } from "../support/lake.js";
import { type Lake, World } from "../support/world.js";

/**
 * A disk that is full, failing or forbidden, at each kind of write: the run ends with a code, and a sentence that names
 * the file; nothing is half-published, and the next run makes the lake that nobody disturbed.
 */

let world: World;
let undisturbed: string;

beforeAll(async () => {
	world = await World.open("io-errors", { shards: ["test_1"], images: 4, size: 64 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 300_000);

afterAll(() => world.close());

/** A code of the system, what it becomes, and the exit code. */
const FULL = ["ENOSPC", "NO_SPACE", 1] as const;
const BROKEN = ["EIO", "LAKE_UNWRITABLE", 1] as const;
const FORBIDDEN = ["EACCES", "LAKE_UNWRITABLE", 2] as const;
const BROKEN_SCRATCH = ["EIO", "USAGE", 1] as const;
const FORBIDDEN_SCRATCH = ["EACCES", "USAGE", 1] as const;
type Outcome = readonly [Fault["do"], string, 1 | 2];
type Place = Omit<Fault, "do">;

/** A kind of write, where it happens, what the message names, and how it fails. */
const LAKE: [string, Place, string, Outcome[]][] = [
	["the lake's id", { op: "write", match: ".irlake/tmp/" }, ".irlake/lake.json", [FULL, FORBIDDEN]],
	["a staged object", { op: "write", match: "/staged/", host: true }, "objects/sha256/", [FULL, BROKEN, FORBIDDEN]],
	["an object moved in", { op: "rename", match: "/objects/" }, "objects/sha256/", [FULL, BROKEN]],
	["a parquet file", { op: "rename", match: "/tables/" }, "tables/images/split=test/shard=1/", [FULL, FORBIDDEN]],
	["a receipt", { op: "link", match: "/receipts/" }, "receipts/test/test_1/", [FULL, BROKEN]],
	["a snapshot", { op: "link", match: "/snapshots/" }, "snapshots/000001-", [FULL]],
	["the claim", { op: "link", match: "/images/_delta_log/" }, "tables/images/_delta_log/0", [FULL, BROKEN]],
	["a log's folder", { op: "sync", match: "/pairs/_delta_log" }, "tables/pairs/_delta_log/0", [BROKEN]],
	["latest.json", { op: "rename", match: "latest.json" }, "latest.json", [FULL, BROKEN, FORBIDDEN]],
];

const SCRATCH: [string, Place, Outcome[]][] = [
	["a part's folder", { op: "mkdir", match: "/parts" }, [FULL, FORBIDDEN_SCRATCH]],
	["a download", { op: "write", match: ".part", nth: 2 }, [FULL, BROKEN_SCRATCH]],
	["kept metadata", { op: "rename", match: "/metadata/" }, [FULL, BROKEN_SCRATCH]],
	["the folder for parquet", { op: "mkdir", match: "/work/" }, [FULL, FORBIDDEN_SCRATCH]],
	// What a failed shard would leave cannot be kept then, which must not hide why it failed.
	[
		"each folder from the fourth on",
		{ op: "mkdir", match: "-scratch-", nth: 4, lasting: true },
		[FULL, BROKEN_SCRATCH],
	],
];

/** A line of a stack trace. */
const STACK = /^\s+at .+:\d+:\d+\)?$/m;

async function fail(lake: Lake, fault: Fault, code: string, exit: number): Promise<NonNullable<CliDocument["error"]>> {
	const end = await lake.mirror({ fault });
	expect(end).toMatchObject({ code: exit, signal: null });
	expect(end.stderr).not.toMatch(STACK);
	const { state, exit_code, error } = documentOf(end);
	expect({ state, exit_code, code: error?.code }).toEqual({ state: "failed", exit_code: exit, code });
	if (error === null) throw new Error("a failure without an error");
	expect(error.path).not.toBeNull();
	return error;
}

async function expectRecovery(lake: Lake): Promise<void> {
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	expect(readPinned(lake.path)).toBe(1);
	expect(digestOf(lake.path)).toBe(undisturbed);
}

/** A full disk is fault 34. */
const title = ([act]: Outcome): string => (act === "ENOSPC" ? `fault 34: ${act}` : act);

const inLake = LAKE.flatMap(([name, place, named, outcomes]) =>
	outcomes.map((outcome) => [title(outcome), name, place, named, outcome] as const),
);

test.each(inLake)("%s in the lake, at %s", async (_act, _name, place, named, [act, code, exit]) => {
	const lake = world.lake("failed");
	const { message } = await fail(lake, { ...place, do: act }, code, exit);
	expect(message).toContain(`${lake.path} `);
	expect(message).toContain(named);
	expect(readPinned(lake.path)).toBe(0);
	await expectRecovery(lake);
});

const inScratch = SCRATCH.flatMap(([name, place, outcomes]) =>
	outcomes.map((outcome) => [title(outcome), name, place, outcome] as const),
);

test.each(inScratch)("%s in scratch, at %s", async (_act, _name, place, [act, code, exit]) => {
	const lake = world.lake("failed");
	const { message } = await fail(lake, { ...place, do: act }, code, exit);
	expect(message).toContain(lake.scratch);
	expect(readPinned(lake.path)).toBe(0);
	await expectRecovery(lake);
});

test.each([
	["the claim", { op: "link", match: "/images/_delta_log/", when: "after" }, 0],
	["latest.json", { op: "rename", match: "latest.json", when: "after" }, 1],
] as [string, Place, number][])(
	"%s that was made, but whose answer was lost, is made once",
	async (_name, place, seen) => {
		const lake = world.lake("lost");
		await fail(lake, { ...place, do: "EIO" }, "LAKE_UNWRITABLE", 1);
		expect(readPinned(lake.path)).toBe(seen);
		await expectRecovery(lake);
	},
);
