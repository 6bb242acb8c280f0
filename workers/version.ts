import { readFileSync } from "node:fs";

const about = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
	version: string;
	engines: { node: string };
};

/** This release. */
export const VERSION: string = about.version;

/** The Node versions that it runs on, such as `>=20.19`. */
export const NODE_VERSIONS: string = about.engines.node;
