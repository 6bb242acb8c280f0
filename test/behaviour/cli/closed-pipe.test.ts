import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "@jest/globals";
import { latestSnapshot } from "../../support/lake.js";
import { ROOT, tempDir } from "../../support/root.js";
import { makeSample } from "../../tools/sample/make.js";

/** A reader that goes away, as `| head` does, costs nobody the work. */

const temp = tempDir("closed-pipe");
afterAll(() => temp.remove());

test("a mirror whose output nobody reads any more publishes, and ends with 0 and no trace", async () => {
	const source = join(temp.path, "source");
	await makeSample(source, { shards: ["test_1"], images: 4, size: 64 });
	const lake = join(temp.path, "lake");
	const args = ["mirror", "--source", `file://${source}`, "--lake", lake, "--scratch", join(temp.path, "scratch")];
	const child = spawn(process.execPath, [join(ROOT, "bin/irlake.js"), ...args, "--shards", "test_1"], {
		env: { ...process.env, LOG_LEVEL: "warn" },
		stdio: ["ignore", "pipe", "pipe"],
	});
	// Before it can have said a word.
	child.stdout.destroy();
	const said = text(child.stderr);
	await once(child, "close");
	expect({ code: child.exitCode, stderr: await said }).toEqual({ code: 0, stderr: "" });
	expect(latestSnapshot(lake).number).toBe(1);
}, 60_000);
