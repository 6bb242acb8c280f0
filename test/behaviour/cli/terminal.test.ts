import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { Lab } from "../../support/lab.js";
import { pythonVerdict, requireOrSkip } from "../../support/python.js";
import { ROOT } from "../../support/root.js";

/** What a person sees on a terminal of 80 columns: bars while it works, whole lines when it is over. */

const describePython = await requireOrSkip();
const ESCAPE = String.fromCharCode(27);
const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;]*m`, "g");
/** Anything that moves the cursor or clears. */
const MOVES = new RegExp(`${ESCAPE}\\[\\??[\\d;]*[A-Za-ln-z]|\\r|\\n`);
const BAR = /^(all|[a-z]+_\d+) +\|[=-]+\|/;

describePython("on a terminal", () => {
	let lab: Lab;
	beforeAll(async () => {
		// Each zip takes a good second.
		lab = await Lab.open(
			"terminal",
			{ shards: ["test_1", "test_2"], images: 12, size: 96 },
			{ bytesPerSecond: 100_000 },
		);
	}, 120_000);
	afterAll(() => lab.close());

	const Ended = z.object({ exit: z.int(), output: z.string() });

	function onTerminal(options: string[], args: string[], env: NodeJS.ProcessEnv = {}): Promise<z.infer<typeof Ended>> {
		const variables = Object.entries({ ...lab.env(), ...env }).map(([name, value]) => `${name}=${value}`);
		const command = ["env", "-C", lab.path(""), ...variables, process.execPath, join(ROOT, "bin/irlake.js"), ...args];
		return pythonVerdict(Ended, "run_on_terminal.py", [...options, ...command]);
	}

	/** What stood on lines of their own, whenever that was. */
	function lines(output: string): string[] {
		return output.replace(COLOURS, "").split(MOVES).filter(Boolean);
	}

	test("a mirror draws bars for each shard and for all, and no line is wider than the terminal", async () => {
		const { exit, output } = await onTerminal([], ["mirror", "--shards", "test_1,test_2", "--lake", "lake"]);
		expect(exit).toBe(0);
		const bars = new Set(lines(output).flatMap((line) => BAR.exec(line)?.[1] ?? []));
		expect([...bars].sort()).toEqual(["all", "test_1", "test_2"]);
		expect(lines(output).filter((line) => line.length > 80)).toEqual([]);
		expect(output.split("published snapshot 1 of lake")).toHaveLength(2);
		// The bars are cleared away, and the cursor is there again.
		const [, after = ""] = output.split("published snapshot 1");
		expect(lines(after).filter((line) => BAR.test(line))).toEqual([]);
		expect(output.lastIndexOf(`${ESCAPE}[?25h`)).toBeGreaterThan(output.lastIndexOf(`${ESCAPE}[?25l`));
	}, 60_000);

	test("with NO_COLOR there is no colour, with --json no bar", async () => {
		const plain = await onTerminal([], ["mirror", "--shards", "test_1,test_2", "--lake", "lake"], { NO_COLOR: "1" });
		expect(plain.output).not.toMatch(COLOURS);
		const json = await onTerminal([], ["mirror", "--shards", "test_1", "--lake", "other", "--json"]);
		expect(lines(json.output).filter((line) => BAR.test(line))).toEqual([]);
	}, 60_000);

	test("Ctrl-C says that it ends cleanly and how to go on, and leaves the terminal as it was", async () => {
		const { exit, output } = await onTerminal(
			["--ctrl-c-after", "|="],
			["mirror", "--shards", "test_1,test_2", "--lake", "interrupted"],
		);
		expect(exit).toBe(130);
		expect(output).toContain("ending cleanly; once more to end at once");
		expect(output).toContain("Run the same command again");
		expect(output.lastIndexOf(`${ESCAPE}[?25h`)).toBeGreaterThan(output.lastIndexOf(`${ESCAPE}[?25l`));
		expect(lab.names("interrupted")).not.toContain("latest.json");
	}, 60_000);
});
