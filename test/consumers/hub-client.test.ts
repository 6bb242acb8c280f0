import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { ExportLab } from "../support/export-lab.js";
import { pythonVerdict, requireOrSkip } from "../support/python.js";
import { tempDir } from "../support/root.js";
import { type HubHandle, startHub } from "../tools/hub/client.js";
import type { HubOptions } from "../tools/hub/options.js";

/** The test Hub is faithful: the Hub's own client lists and downloads from it, and tells its errors apart. */

const REPO = "zai-org/ImageRewardDB";
const OLD = "THUDM/ImageRewardDB";
const BIG = "images/train/train_1.zip";
const MIB = 1 << 20;
const Verdict = z.object({ checks: z.array(z.string()), problems: z.array(z.string()) });

const describePython = await requireOrSkip();

describePython("huggingface_hub", () => {
	const folder = tempDir("hub-client");
	const running: HubHandle[] = [];
	const files: Record<string, Buffer> = {
		"README.md": Buffer.from("hello\n"),
		[BIG]: randomBytes(24 * MIB),
		"images/test/test_1.zip": randomBytes(3000),
		"metadata-train.parquet": randomBytes(5000),
		"metadata-test.parquet": randomBytes(500),
	};

	beforeAll(() => {
		for (const [path, content] of Object.entries(files)) {
			mkdirSync(dirname(join(folder.path, path)), { recursive: true });
			writeFileSync(join(folder.path, path), content);
		}
	});
	afterEach(async () => {
		await Promise.all(running.splice(0).map((hub) => hub.stop()));
	});
	afterAll(folder.remove);

	async function start(options: Partial<Omit<HubOptions, "stdin">> = {}, served = folder.path): Promise<HubHandle> {
		const hub = await startHub(served, options);
		running.push(hub);
		return hub;
	}

	async function check(mode: string, hub: HubHandle, served: string, ...more: string[]): Promise<string[]> {
		const verdict = await pythonVerdict(Verdict, "check_hub.py", [mode, hub.endpoint, served, REPO, ...more]);
		expect(verdict.problems).toEqual([]);
		return verdict.checks;
	}

	test("lists, downloads files and snapshots, follows a rename, and knows each error", async () => {
		const hub = await start({ pageSize: 3 });
		expect(await check("open", hub, folder.path, OLD, BIG)).toHaveLength(18);
	});

	test("goes on by a range after a connection that stalls", async () => {
		const hub = await start();
		// A connection that is reset it gives up on (huggingface_hub 2.4).
		await hub.faults([{ match: { route: "cdn", path: BIG }, times: 1, kind: "stall-after", bytes: 11 * MIB }]);
		expect(await check("resume", hub, folder.path, BIG)).toHaveLength(1);
		const { cdn } = await hub.counters();
		expect(cdn.requests).toBeGreaterThan(1);
		// The part that had arrived did not come again: the client asked for the rest.
		expect(cdn.bytes).toBeLessThan(1.5 * 24 * MIB);
	});

	test("is refused by a gated repository without the token, and served with it", async () => {
		const hub = await start({ gated: true, token: "hf_test" });
		expect(await check("gated", hub, folder.path, "hf_test")).toHaveLength(3);
	});

	test("datasets loads and streams an exported repository from it", async () => {
		const lab = await ExportLab.open("hub-export", { shards: ["train_1", "test_1"], images: 12, size: 32 });
		try {
			expect(await lab.export("hf", "repo")).toMatchObject({ state: "exported" });
			const hub = await start({}, lab.path("repo"));
			expect(await check("dataset", hub, lab.path("repo"))).toHaveLength(3);
		} finally {
			lab.close();
		}
	});
});
