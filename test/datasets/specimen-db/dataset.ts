import type { Dataset } from "../../../pipelines/dataset.js";
import { card } from "./card.js";
import { checks } from "./checks.js";
import { layout } from "./layout.js";
import { columns } from "./row.js";
import { tables } from "./tables.js";

export const specimenDb: Dataset = {
	name: "specimen-db",
	title: "SpecimenDB",
	repo: "museum/specimens",
	formerRepos: [],
	layout,
	columns,
	group: null,
	checks,
	tables,
	exports: {},
	card,
};
