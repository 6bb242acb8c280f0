import type { Dataset } from "../dataset.js";
import { imageRewardDb } from "./imagereward-db/dataset.js";

/** The datasets that are shipped; the first is the one that is meant where nothing says which. */
export const datasets: readonly [Dataset, ...Dataset[]] = [imageRewardDb];
