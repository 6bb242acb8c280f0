import type { Dataset } from "../../pipelines/dataset.js";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { specimenDb } from "./specimen-db/dataset.js";

/** The datasets of the tests' own command: the shipped ones, and a made-up one. */
export const datasets: readonly [Dataset, ...Dataset[]] = [imageRewardDb, specimenDb];
