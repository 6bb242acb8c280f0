import { describe } from "@jest/globals";
import { REDIS_SCRIPT } from "./redis.js";
import { runProgram } from "./run-program.js";

/**
 * `describe` for tests that need Redis: where it cannot be had they count as skipped, and with `REQUIRE_SERVICES=1` they
 * run and fail. Chosen at load time: `const describeFleet = await redisOrSkip();`
 */
export async function redisOrSkip(): Promise<typeof describe | typeof describe.skip> {
	const { code, stderr } = await runProgram(REDIS_SCRIPT, ["install"]);
	if (code === 0 || process.env.REQUIRE_SERVICES === "1") return describe;
	process.stderr.write(`${stderr.trim()}\nNo Redis: the tests of the queue are skipped.\n`);
	return describe.skip;
}
