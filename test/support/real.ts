import { test } from "@jest/globals";
import { REAL_DATA } from "./root.js";

if (REAL_DATA === null) process.stderr.write("No real data beside the checkout: its tests are skipped.\n");

/** `test` for what needs the real data: skipped, saying so, where it is absent. */
export const testReal: typeof test | typeof test.skip = REAL_DATA === null ? test.skip : test;
