#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { V8_FLAGS } from "../dist/infra/v8-flags.js";

// Before anything else is loaded: loading is the first thing that V8 would optimize.
for (const flag of V8_FLAGS) setFlagsFromString(flag);
const [{ main }, { datasets }] = await Promise.all([
	import("../dist/workers/cli.js"),
	import("../dist/pipelines/datasets/index.js"),
]);
await main(datasets);
