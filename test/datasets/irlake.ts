import { main } from "../../workers/cli.js";
import { datasets } from "./index.js";

/** The command line as it is shipped, with a made-up dataset beside the shipped ones. */
await main(datasets);
