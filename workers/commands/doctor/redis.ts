import { ok, skipped, type Verdict, warn } from "../../../pipelines/doctor/verdict.js";
import { openQueue } from "../../wire.js";

/** `doctor`'s look at the queue's server: its version, whether it forgets, and whether a crash costs the jobs. */

const LEAST: [major: number, minor: number] = [6, 2];

/** Skipped where no queue is asked for. Throws QUEUE_UNAVAILABLE, QUEUE_REFUSED, USAGE. */
export async function checkRedis(env: NodeJS.ProcessEnv): Promise<Verdict> {
	if (!env.REDIS_URL) return skipped("REDIS_URL is not set: no fleet");
	const connection = await openQueue("", env);
	try {
		return redisVerdict(connection.name, await connection.redis.info());
	} finally {
		connection.close();
	}
}

/** @param info the answer to `INFO`: lines of `name:value` */
export function redisVerdict(name: string, info: string): Verdict {
	const facts = new Map(
		info.split("\n").flatMap((line) => {
			const [, key, value] = /^([a-z_]+):(.*?)\r?$/.exec(line) ?? [];
			return key !== undefined && value !== undefined ? [[key, value] as const] : [];
		}),
	);
	const version = facts.get("redis_version") ?? "unknown";
	const policy = facts.get("maxmemory_policy") ?? "unknown";
	const [major = 0, minor = 0] = version.split(".").map(Number);
	const found = `${name}: version ${version}, ${policy}`;
	if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
		return warn(`${found}; it is old`, `Upgrade Redis to ${LEAST.join(".")} or newer.`);
	}
	if (policy !== "noeviction") {
		return warn(`${found}; it may forget jobs`, "Set maxmemory-policy noeviction.");
	}
	if (facts.get("aof_enabled") !== "1") {
		return warn(`${found}; a crash loses its jobs`, "Set appendonly yes; what is finished stands in the lake anyway.");
	}
	return ok(`${found}, append-only file on`);
}
