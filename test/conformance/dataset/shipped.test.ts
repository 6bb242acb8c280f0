import { expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { specimenDb } from "../../datasets/specimen-db/dataset.js";
import { makeSpecimens } from "../../datasets/specimen-db/sample.js";
import { documentOf, runCli, startCli } from "../../support/cli.js";
import { digestOf } from "../../support/lake.js";
import { tempDir } from "../../support/root.js";
import { makeSample } from "../../tools/sample/make.js";
import { COMMAND } from "./place.js";

/** The command as it is shipped knows ImageRewardDB only, and the two datasets of the suite differ in all that may differ. */

test("another dataset is not known, and a lake of it is left alone", async () => {
	const unknown = await runCli(["mirror", "--dataset", specimenDb.name, "--lake", "/nowhere/lake", "--json"]);
	expect(documentOf(unknown)).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
	const temp = tempDir("shipped");
	try {
		await makeSpecimens(`${temp.path}/specimens`, { shards: ["alpha_1"] });
		await makeSample(`${temp.path}/rewards`, { shards: ["test_1"], size: 16, planted: null });
		const place = ["--lake", `${temp.path}/lake`, "--scratch", `${temp.path}/scratch`, "--json"];
		const own = ["--source", `${temp.path}/specimens`, "--dataset", specimenDb.name, "--shards", "alpha_1"];
		const made = await (await startCli(["mirror", ...place, ...own], {}, COMMAND)).ended;
		expect(documentOf(made)).toMatchObject({ exit_code: 0, state: "published" });
		const before = digestOf(`${temp.path}/lake`);
		const other = ["--source", `${temp.path}/rewards`, "--shards", "test_1"];
		expect(documentOf(await runCli(["mirror", ...place, ...other]))).toMatchObject({
			state: "failed",
			error: { code: "LAKE_UNSUPPORTED", message: expect.stringContaining(specimenDb.name) },
		});
		expect(digestOf(`${temp.path}/lake`)).toBe(before);
	} finally {
		temp.remove();
	}
}, 60_000);

test("the datasets of the suite differ in what the contract lets differ", () => {
	const [one, other] = [imageRewardDb, specimenDb].map(({ layout, group, tables, exports, columns }) => {
		const first = `${layout.splits[0]?.name}_1`;
		return {
			json: layout.json,
			format: layout.format(first),
			digits: layout.zipPath(first).replace(/\D/g, "").length,
			splits: layout.splits.length,
			hasGroups: group !== null,
			hasTables: tables.list.length > 0,
			hasExports: Object.keys(exports).length > 0,
			types: [...new Set(columns.map(({ type }) => type))].sort().join(),
			metadataSaysMore: columns.some(({ json, metadata }) => metadata !== undefined && json === undefined),
			hasCellRules: columns.some(({ metadata }) => metadata?.read !== undefined),
		};
	});
	for (const [key, value] of Object.entries(one ?? {})) {
		expect([key, value]).not.toEqual([key, other?.[key as keyof typeof other]]);
	}
});
