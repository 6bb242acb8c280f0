import { specimenDb } from "../../datasets/specimen-db/dataset.js";
import { makeSpecimens } from "../../datasets/specimen-db/sample.js";
import { holdsTheContract } from "./suite.js";

const shards = ["alpha_1", "alpha_2", "beta2_1"];
const same = (sql: string) => ({ lake: sql, metadata: sql });

holdsTheContract({
	dataset: specimenDb,
	shards,
	clean: async (folder, layout) => void (await makeSpecimens(folder, { shards, layout })),
	changed: async (folder) => {
		await makeSpecimens(folder, { shards, retold: "beta2_1" });
		return { added: 0, removed: 0, changed: 1 };
	},
	planted: (folder) => makeSpecimens(folder, { shards, defects: true }),
	some: { where: "style = 'ink'", metadata: "style_code = 1" },
	few: { where: "seed = 4294967295", metadata: "seed = 4294967295" },
	sums: [
		same("sum(seed)"),
		same("sum(weight::DOUBLE)"),
		same("sum(sharpness)"),
		same("count(sharpness)"),
		same("epoch_us(max(taken_at))"),
		same("count(taken_at)"),
		same("count(DISTINCT caption)"),
		{ lake: "count(*) FILTER (style = 'oil')", metadata: "count(*) FILTER (style_code = 2)" },
		{ lake: "sum(shard)", metadata: "sum(part_id)" },
	],
	sameRow: [
		"lake.caption = metadata.caption AND lake.weight = metadata.weight AND lake.seed = metadata.seed",
		"lake.style = ['ink', 'oil', 'chalk'][metadata.style_code]",
		"lake.taken_at IS NOT DISTINCT FROM metadata.taken_at AND lake.sharpness IS NOT DISTINCT FROM metadata.sharpness",
	].join(" AND "),
	imagePath: (split) => `'parts/${split}/part-' || lpad(part_id::VARCHAR, 6, '0') || '/' || image_name`,
	exports: [],
});
