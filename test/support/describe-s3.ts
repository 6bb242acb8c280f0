import { describe } from "@jest/globals";
import { s3Missing } from "./s3.js";

/** `describe` for tests that need the server: skipped, saying why, where it cannot be had; failing with REQUIRE_SERVICES=1. */
export async function describeS3(): Promise<typeof describe | typeof describe.skip> {
	const reason = await s3Missing();
	if (reason === null || process.env.REQUIRE_SERVICES === "1") return describe;
	process.stderr.write(`${reason}\nNo S3 server: its tests are skipped.\n`);
	return describe.skip;
}
