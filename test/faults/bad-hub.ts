import { existsSync, readdirSync } from "node:fs";
import { expect } from "@jest/globals";
import { type CliEnd, documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot, readPinned } from "../support/lake.js";
import { type Lake, World } from "../support/world.js";
import type { FaultOrder } from "../tools/hub/faults.js";
import { requireOnce } from "./once.js";

export const ZIP = "images/test/test_2.zip";
export const CDN = { route: "cdn", path: ZIP } as const;
export const RESOLVE = { route: "resolve", path: ZIP } as const;
/** A place within the zip's body. */
export const PLACE = 20_000;
/** What users have too, for a test that cannot wait. */
export const QUICK = ["--retry-wait", "0.01", "--idle-timeout", "1"];

interface Failure {
	/** Of the run, or of the shard where that is what failed. */
	code: string;
	exit: 1 | 2;
	message: RegExp;
}

/**
 * The Hub on a bad day, fault by fault (the numbers are those of the list of faults): a lake of one snapshot is to get
 * a second. Either the run survives, or it ends with a code and a sentence; a reader sees the old snapshot or the new
 * one; and the lake comes to be what an undisturbed run makes of it, no byte being fetched twice without a reason.
 */
export class BadHub {
	readonly world: World;
	/** The first snapshot. */
	readonly first: Lake;
	/** What it becomes undisturbed. */
	readonly #undisturbed: string;

	constructor(world: World, first: Lake, undisturbed: string) {
		this.world = world;
		this.first = first;
		this.#undisturbed = undisturbed;
	}

	static async open(name: string): Promise<BadHub> {
		const options = { shards: ["test_1", "test_2"], images: 24, size: 48, defect: true, pageSize: 3 };
		const world = await World.open(name, options);
		const first = world.lake("first");
		expect(await first.mirror({ shards: ["test_1"] })).toMatchObject({ code: 0 });
		const second = first.copy("second");
		expect(await second.mirror()).toMatchObject({ code: 0 });
		expect((await world.hub.counters()).paths[ZIP]?.bytes).toBeGreaterThan(2 * PLACE);
		return new BadHub(world, first, digestOf(second.path));
	}

	/** Before each test. */
	async clear(): Promise<void> {
		await this.world.hub.faults([]);
		await this.world.hub.reset();
	}

	/** A second snapshot, made while the faults happen. */
	async attempt(lake: Lake, faults: FaultOrder[], ...args: string[]): Promise<CliEnd> {
		await this.world.hub.faults(faults);
		const end = await lake.mirror({ args: [...QUICK, ...args] });
		await this.world.hub.faults([]);
		return end;
	}

	async expectWhole(lake: Lake): Promise<void> {
		expect(readPinned(lake.path)).toBe(2);
		expect(digestOf(lake.path)).toBe(this.#undisturbed);
		const { rows_in, rows_published, rows_rejected, members_in, members_published, members_rejected, orphans } =
			latestSnapshot(lake.path).counts;
		expect(rows_rejected).toBeGreaterThan(0);
		expect(rows_in).toBe(rows_published + rows_rejected);
		expect(members_in).toBe(members_published + members_rejected + orphans);
	}

	/** The run ends well; returns what it said, and how many bodies the zip took. */
	async survives(faults: FaultOrder[], ...args: string[]): Promise<{ said: string; bodies: number }> {
		const lake = this.first.copy("lake");
		const end = await this.attempt(lake, faults, ...args);
		expect(end).toMatchObject({ code: 0, signal: null });
		await this.expectWhole(lake);
		const { paths, faults: happened } = await this.world.hub.counters();
		expect(Object.values(happened).reduce((sum, times) => sum + times, 0)).toBe(
			faults.reduce((sum, { times }) => sum + times, 0),
		);
		requireOnce(paths);
		return { said: end.stderr, bodies: paths[ZIP]?.ranges.length ?? 0 };
	}

	/** The run fails as it should, readers see the old snapshot, and the next run makes the new one. */
	async fails(faults: FaultOrder[], { code, exit, message }: Failure, ...args: string[]): Promise<CliEnd> {
		const lake = this.first.copy("lake");
		const before = digestOf(lake.path);
		const end = await this.attempt(lake, faults, ...args);
		expect(end).toMatchObject({ code: exit, signal: null });
		const { state, exit_code, error, shards } = documentOf(end);
		expect({ state, exit_code }).toEqual({ state: "failed", exit_code: exit });
		const shard = shards?.find((one) => one.code !== null);
		if (shard === undefined) expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
		else {
			expect(error?.code).toBe("SHARD_FAILED");
			expect(shard).toMatchObject({ shard: "test_2", state: "failed", code, detail: expect.stringMatching(message) });
		}
		expect(end.stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
		expect(readPinned(lake.path)).toBe(1);
		if (shard === undefined) expect(digestOf(lake.path)).toBe(before);
		await this.world.hub.reset();
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		await this.expectWhole(lake);
		return end;
	}

	/** Parts of downloads that the tests have left. */
	leftParts(): string[] {
		const folders = readdirSync(`${this.world.source}/..`).filter((name) => name.startsWith("lake-scratch"));
		return folders.flatMap((name) => {
			const parts = `${this.world.source}/../${name}/parts`;
			return existsSync(parts) ? readdirSync(parts) : [];
		});
	}
}
