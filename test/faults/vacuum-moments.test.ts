import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import { readFirstKept } from "../../pipelines/lake/sweeping/first-kept.js";
import type { Store } from "../../pipelines/ports/store.js";
import { LakeError } from "../../schemas/errors.js";
import { Baton, type Stop } from "../support/baton.js";
import { describeS3 } from "../support/describe-s3.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { openTestStore } from "../support/s3-store.js";
import { SHARDS, Variants } from "../support/vacuumed-lake.js";
import { Random } from "../tools/sample/random.js";

/** Vacuum at random moments beside publishes and rollbacks, with no grace time at all: retained snapshots stay whole. */

/** About as many calls as a mirror of two small shards makes of its store, and two vacuums; and those between which it matters. */
const MIRROR_CALLS = 65;
const MIRROR_STEPS = [
	/^publishObjects/,
	/^putFile/,
	/^putIfAbsent receipts/,
	/^putIfAbsent snapshots/,
	/^list .irlake/,
];
const VACUUM_CALLS = 55;
const VACUUM_STEPS = [/^putIfAbsent .*marks/, /^list snapshots/, /^list objects/, /^putIfAbsent .*sweep/, /^delete/];

let variants: Variants;
let local: ReturnType<typeof tempDir>;
beforeAll(async () => {
	local = tempDir("vacuum-moments");
	variants = await Variants.open();
}, 120_000);
afterAll(async () => {
	await variants?.close();
	local?.remove();
});

type OpenStore = () => Promise<Store & { stage: { folder: string } }>;

interface Totals {
	deleted: number;
	published: number;
	rolledBack: number;
}

/** Runs one vacuum twice (marks, then sweep) beside a mirror or a rollback; each stops twice at random calls. */
async function round(open: OpenStore, random: Random, totals: Totals): Promise<void> {
	const stops = (most: number, steps: RegExp[]): Stop[] => {
		return [random.int(1, most), random.pick([random.int(1, most), random.pick(steps)])];
	};
	const runs: [string, Stop[]][] = [
		["vacuum", stops(VACUUM_CALLS, VACUUM_STEPS)],
		["writer", stops(MIRROR_CALLS, MIRROR_STEPS)],
	];
	if (random.int(0, 1) === 1) runs.reverse();
	const baton = new Baton(runs);
	const [one, other] = [await open(), await open()];
	const before = await readFirstKept(one);
	const latest = await variants.requireWhole(one, before);
	const keep = random.int(1, 3);
	const variant = random.int(1, 3);
	const wanted = random.pick([SHARDS, SHARDS, SHARDS.slice(0, 1)]);
	const back = random.int(0, 3) === 0 ? random.int(Math.max(1, latest - 4), latest) : null;
	const vacuum = baton.run("vacuum", async () => {
		for (let at = 0; at < 2; at++) {
			const report = await variants.vacuum(baton.store("vacuum", one), keep, baton.clock("vacuum"));
			for (const { files } of Object.values(report?.deleted ?? {})) totals.deleted += files;
		}
	});
	const writer = baton.run("writer", async () => {
		const store = baton.store("writer", other);
		const clock = baton.clock("writer");
		if (back === null) {
			if ((await variants.mirror(store, other.stage.folder, variant, wanted, clock)) !== null) totals.published += 1;
		} else if (await variants.rollback(store, back, clock).catch(vacuumed)) totals.rolledBack += 1;
	});
	const ends = await Promise.allSettled([vacuum, writer]);
	for (const end of ends) if (end.status === "rejected") throw end.reason;
	await other.dropStaged();
	const firstKept = await readFirstKept(one);
	const newest = await variants.requireWhole(one, firstKept);
	expect(firstKept).toBeLessThanOrEqual(Math.max(before, newest - keep + 1));
}

function vacuumed(error: unknown): null {
	if (error instanceof LakeError && error.code === "SNAPSHOT_VACUUMED") return null;
	throw error;
}

async function rounds(open: OpenStore, count: number, seed: string): Promise<Totals> {
	const totals = { deleted: 0, published: 0, rolledBack: 0 };
	const store = await open();
	await variants.mirror(store, store.stage.folder, 1, SHARDS, new Baton([]).clock("alone"));
	for (let at = 0; at < count; at++) {
		await round(open, new Random(`${seed} ${at}`), totals).catch((cause: unknown) => {
			throw new Error(`round ${seed} ${at}: ${cause instanceof Error ? cause.message : cause}`, { cause });
		});
	}
	// Left alone, it leaves what the newest snapshot needs, and nothing else.
	for (let at = 0; at < 3; at++) await variants.vacuum(await open(), 1, new Baton([]).clock("alone"));
	const newest = await variants.requireWhole(await open(), await readFirstKept(store));
	expect(newest).toBeGreaterThan(count / 3);
	return totals;
}

/** `VACUUM_ROUNDS` and `VACUUM_SEED`: more of it, and other moments. */
const ROUNDS = Number(process.env.VACUUM_ROUNDS || 50);
const SEED = process.env.VACUUM_SEED || "vacuum-2";

test("fifty times in a folder", async () => {
	const lake = join(local.path, "lake");
	const totals = await rounds(async () => openFolderStore(lake), ROUNDS, SEED);
	expect(totals.deleted).toBeGreaterThan(ROUNDS);
	expect(totals.published).toBeGreaterThan(ROUNDS / 3);
	expect(totals.rolledBack).toBeGreaterThan(0);
}, 300_000);

const describeServer = await describeS3();
describeServer("on S3", () => {
	let server: S3Server;
	beforeAll(async () => {
		server = await S3Server.start();
	}, 120_000);
	afterAll(() => server?.stop());

	test("eight times", async () => {
		const open = () => openTestStore(server, join(local.path, "s3"), { prefix: "moments" });
		const totals = await rounds(open, 8, `${SEED} on S3`);
		expect(totals.deleted).toBeGreaterThan(8);
	}, 300_000);
});
