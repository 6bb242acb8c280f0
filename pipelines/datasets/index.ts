import type { Dataset } from "../dataset.js";
import { imageRewardDb } from "./imagereward-db/dataset.js";

/** The datasets that this release knows; the first is the default. */
export const datasets: readonly [Dataset, ...Dataset[]] = [imageRewardDb];
