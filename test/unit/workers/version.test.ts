import { version } from "@duckdb/node-api";
import { expect, test } from "@jest/globals";
import { versionText } from "../../../workers/version.js";

test("DuckDB's version, read of its package, is what DuckDB itself says", () => {
	expect(versionText()).toContain(`DuckDB ${version().replace(/^v/, "")},`);
	expect(versionText()).toContain(`Node ${process.versions.node})`);
});
