import type { Dataset } from "../../dataset.js";
import { card } from "./card.js";
import { checks } from "./checks.js";
import { exports } from "./exports/index.js";
import { layout } from "./layout.js";
import { columns } from "./row.js";
import { tables } from "./tables.js";

/** ImageRewardDB: text-to-image generations with expert ranks and ratings. */
export const imageRewardDb: Dataset = {
	name: "imagereward-db",
	title: "ImageRewardDB",
	repo: "zai-org/ImageRewardDB",
	formerRepos: ["THUDM/ImageRewardDB"],
	layout,
	columns,
	group: "prompt_id",
	checks,
	tables,
	exports,
	card,
};
