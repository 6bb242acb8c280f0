import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { ROOT, tempDir } from "../../support/root.js";
import { type Ended, runProgram } from "../../support/run-program.js";
import { makeSample } from "../../tools/sample/make.js";

/** What a user gets: from the package, installed globally, and from a fresh clone of what is committed. */

const { version } = z
	.object({ version: z.string() })
	.parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
const clean = { ...process.env };
// The test runner's own.
for (const name of Object.keys(clean)) if (name === "NODE_OPTIONS" || name.startsWith("npm_")) delete clean[name];

async function npm(args: string[], folder: string): Promise<Ended> {
	const end = await runProgram("npm", [...args, "--no-audit", "--no-fund"], clean, folder);
	if (end.code !== 0) throw new Error(`npm ${args[0]} ended with ${end.code}: ${end.stderr}`);
	return end;
}

/** Whether packages can be had at all. Where they cannot, these tests count as skipped; `REQUIRE_SERVICES=1` fails them. */
async function describeWithRegistry(): Promise<typeof describe | typeof describe.skip> {
	const { code } = await runProgram("npm", ["view", "zod", "version"], clean, ROOT);
	if (code === 0 || process.env.REQUIRE_SERVICES === "1") return describe;
	process.stderr.write("No package registry: the installation is not tested.\n");
	return describe.skip;
}

const describeInstall = await describeWithRegistry();

describeInstall("installed", () => {
	const root = tempDir("install");
	const source = join(root.path, "source");
	beforeAll(() => makeSample(source, { shards: ["test_1"], images: 4, size: 24 }), 60_000);
	afterAll(() => root.remove());

	test("from the package, globally: the command runs and mirrors; no test is in the package", async () => {
		const packed = await npm(["pack", "--ignore-scripts", "--json", "--pack-destination", root.path], ROOT);
		const [pack] = z
			.array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
			.parse(JSON.parse(packed.stdout));
		const paths = pack?.files.map(({ path }) => path) ?? [];
		expect(paths).toEqual(
			expect.arrayContaining(["package.json", "README.md", "CHANGELOG.md", "LICENSE", "bin/irlake.js"]),
		);
		expect(paths.filter((path) => /^(dist\/)?(test|\.ci|\.cache)\//.test(path) || path.includes(".test."))).toEqual([]);

		const prefix = join(root.path, "prefix");
		await npm(["install", "--global", "--prefix", prefix, join(root.path, pack?.filename ?? "")], root.path);
		const irlake = join(prefix, "bin/irlake");
		const run = (args: string[]): Promise<Ended> => runProgram(irlake, args, clean, root.path);
		expect(await run(["--version"])).toMatchObject({
			code: 0,
			stdout: expect.stringContaining(`irlake ${version} (DuckDB `),
		});
		const where = ["--lake", join(root.path, "lake"), "--scratch", join(root.path, "scratch")];
		for (const image of ["passthrough", "jpeg"]) {
			const args = ["mirror", "--source", source, "--shards", "test_1", ...where, "--image", image, "--new-settings"];
			expect(await run([...args, "--json"])).toMatchObject({ code: 0 });
		}
		expect(await run(["verify", ...where, "--deep", "--json"])).toMatchObject({ code: 0 });
	}, 400_000);

	test("from a fresh clone: npm ci alone, then npm run -s irlake", async () => {
		const clone = join(root.path, "clone");
		const cloned = await runProgram("git", ["clone", "--quiet", "--depth", "1", `file://${ROOT}`, clone], clean);
		expect(cloned).toMatchObject({ code: 0 });
		expect(readdirSync(clone)).not.toContain("dist");
		await npm(["ci"], clone);
		const said = await runProgram("npm", ["run", "-s", "irlake", "--", "--version"], clean, clone);
		expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining(`irlake ${version} (DuckDB `) });
	}, 400_000);
});
