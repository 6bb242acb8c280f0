import { expect, test } from "@jest/globals";
import { redisVerdict } from "../../../../../workers/commands/doctor/redis.js";

/** What `doctor` says of a Redis, by what it tells of itself. */

function info(version: string, policy: string, aof: string): string {
	return `# Server\r\nredis_version:${version}\r\n# Memory\r\nmaxmemory_policy:${policy}\r\n# Persistence\r\naof_enabled:${aof}\r\n`;
}

test.each([
	["7.0.15", "noeviction", "1", "ok", ""],
	["6.2.0", "noeviction", "1", "ok", ""],
	["6.0.16", "noeviction", "1", "warn", "Upgrade Redis"],
	["7.0.15", "allkeys-lru", "1", "warn", "noeviction"],
	["7.0.15", "noeviction", "0", "warn", "appendonly yes"],
])("version %s, %s, append-only file %s: %s", (version, policy, aof, state, mend) => {
	const verdict = redisVerdict("redis://host:6379", info(version, policy, aof));
	expect(verdict.state).toBe(state);
	expect(verdict.mend ?? "").toContain(mend);
});
