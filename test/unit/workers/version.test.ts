import { expect, test } from "@jest/globals";
import { version } from "../../../infra/adapters/duckdb/node-api.js";
import { versionText } from "../../../workers/version.js";

test("DuckDB's version, read of its package, is what DuckDB itself says", () => {
	expect(versionText()).toContain(`DuckDB ${version().replace(/^v/, "")},`);
	expect(versionText()).toContain(`Node ${process.versions.node})`);
});
