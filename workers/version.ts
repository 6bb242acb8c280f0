import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Package {
	version: string;
	engines: { node: string };
}

const own = readPackage(new URL("../../package.json", import.meta.url));

/** This release. */
export const VERSION: string = own.version;

/** The Node versions that it runs on, such as `>=20.19`. */
export const NODE_VERSIONS: string = own.engines.node;

/** Release, DuckDB and Node on one line. DuckDB's is read of its package: to ask it would load its native module. */
export function versionText(): string {
	const duckdb = readPackage(createRequire(import.meta.url).resolve("@duckdb/node-api/package.json"));
	return `irlake ${VERSION} (DuckDB ${duckdb.version.replace(/-r\.\d+$/, "")}, Node ${process.versions.node})`;
}

function readPackage(file: string | URL): Package {
	return JSON.parse(readFileSync(file, "utf8")) as Package;
}
