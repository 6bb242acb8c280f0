import type { Checks } from "../../../pipelines/dataset.js";

/** A specimen that weighs less than nothing is odd. There are no groups to say anything of. */
export const checks: Checks = {
	row: ({ weight }) => (Number(weight) < 0 ? [{ code: "RATING_RANGE", detail: `weight ${weight} is below 0` }] : []),
	group: () => [],
};
