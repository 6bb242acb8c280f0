import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import { readFirstKept } from "../../pipelines/lake/sweeping/first-kept.js";
import type { Store } from "../../pipelines/ports/store.js";
import { systemClock } from "../../workers/clock.js";
import { documentOf, runCli, startCli } from "../support/cli.js";
import { faultEnv } from "../support/fault.js";
import { digestOf, readPinned } from "../support/lake.js";
import { tempDir } from "../support/root.js";
import { SHARDS, Variants } from "../support/vacuumed-lake.js";
import { appeared, inState } from "../support/world.js";

/** A vacuum that dies at any call of its store, and between any two files of a deletion: the lake is whole, the next one ends what it began. */

/** Calls that a vacuum of two small shards cannot need. */
const BOUND = 120;

let variants: Variants;
let local: ReturnType<typeof tempDir>;
/** Snapshot 2 has nothing of snapshot 1 but two receipts' shards. */
let base: string;
let copies = 0;

beforeAll(async () => {
	local = tempDir("vacuum-crash");
	variants = await Variants.open();
	base = join(local.path, "base");
	for (const variant of [1, 2]) {
		const store = openFolderStore(base);
		await variants.mirror(store, store.stage.folder, variant, SHARDS, systemClock);
		await store.dropStaged();
	}
}, 120_000);
afterAll(async () => {
	await variants?.close();
	local?.remove();
});

function copy(): string {
	copies += 1;
	const lake = join(local.path, `lake-${copies}`);
	// Times too: what was marked is older than its mark.
	cpSync(base, lake, { recursive: true, preserveTimestamps: true });
	return lake;
}

class Died extends Error {}

/** The store of a process that dies before one of its calls; files are deleted one by one, each a call of its own. */
function dying(store: Store, at: number): Store {
	let calls = 0;
	const live = (): void => {
		calls += 1;
		if (calls >= at) throw new Died();
	};
	return new Proxy(store, {
		get(target, key) {
			const value: unknown = Reflect.get(target, key, target);
			if (typeof value !== "function") return value;
			if (key === "delete") {
				return async (paths: string[]) => {
					for (const path of paths) {
						live();
						await target.delete([path]);
					}
				};
			}
			return (...args: unknown[]) => {
				live();
				return value.apply(target, args);
			};
		},
	});
}

const vacuum = (store: Store) => variants.vacuum(store, 1, systemClock);

/** Marks and sweeps, however often it takes, and what the lake is then. */
async function finished(lake: string): Promise<string> {
	for (let at = 0; at < 3; at++) await vacuum(openFolderStore(lake));
	return digestOf(lake);
}

test.each([
	["marks", 0],
	["sweeps", 1],
])(
	"one that %s, at each of its calls",
	async (_does, before) => {
		const undisturbed = await finished(copy());
		let died = 0;
		for (let at = 1; at < BOUND; at++) {
			const lake = copy();
			const store = openFolderStore(lake);
			for (let run = 0; run < before; run++) await vacuum(store);
			const end = await vacuum(dying(store, at)).catch((error: unknown) => error);
			expect(await variants.requireWhole(store, await readFirstKept(store))).toBe(2);
			if (!(end instanceof Died)) break;
			died += 1;
			expect([at, await finished(lake)]).toEqual([at, undisturbed]);
			expect(await variants.requireWhole(store, 2)).toBe(2);
		}
		// Two receipts, five table files or six, eight objects: each of them a call of the sweep.
		expect(died).toBeGreaterThan(before === 1 ? 30 : 10);
		expect(died).toBeLessThan(BOUND - 1);
	},
	240_000,
);

test("Ctrl-C between two files: ends with 130, and the next one goes on", async () => {
	const lake = copy();
	const undisturbed = await finished(copy());
	const args = ["vacuum", "--lake", lake, "--scratch", join(local.path, "scratch"), "--keep", "1", "--grace", "0"];
	expect(await runCli([...args, "--yes"])).toMatchObject({ code: 0 });
	const marker = join(local.path, "stopped");
	const fault = faultEnv({ op: "unlink", match: "/receipts/", do: "SIGSTOP", marker });
	const stopped = await startCli([...args, "--yes", "--json"], fault);
	await appeared(marker, stopped);
	await inState(stopped.pid, ["T"]);
	stopped.kill("SIGINT");
	stopped.kill("SIGCONT");
	const end = await stopped.ended;
	expect(end).toMatchObject({ code: 130 });
	expect(documentOf(end).error).toMatchObject({ code: "INTERRUPTED" });
	expect(readPinned(lake)).toBe(2);
	expect(digestOf(lake)).not.toBe(undisturbed);
	expect(await runCli([...args, "--yes"])).toMatchObject({ code: 0 });
	expect(digestOf(lake)).toBe(undisturbed);
}, 60_000);

test("one that is killed between two files", async () => {
	const lake = copy();
	const undisturbed = await finished(copy());
	const args = ["vacuum", "--lake", lake, "--scratch", join(local.path, "scratch"), "--keep", "1", "--grace", "0"];
	expect(await runCli([...args, "--yes"])).toMatchObject({ code: 0 });
	const fault = faultEnv({ op: "unlink", match: "/objects/", nth: 2, do: "SIGKILL" });
	expect(await runCli([...args, "--yes"], fault)).toMatchObject({ signal: "SIGKILL" });
	expect(readPinned(lake)).toBe(2);
	expect(digestOf(lake)).not.toBe(undisturbed);
	expect(await runCli([...args, "--yes"])).toMatchObject({ code: 0 });
	expect(digestOf(lake)).toBe(undisturbed);
}, 60_000);
