import { Redis } from "ioredis";
import { LakeError, systemCode } from "../../schemas/errors.js";

/** A connection to Redis. Messages name its address without credentials. */

/** Seconds that the first connection may take. */
const CONNECT_SECONDS = 5;
/** Longest pause between two attempts to reconnect, in ms. */
const MAX_RECONNECT_MS = 1000;

export interface RedisConnection {
	redis: Redis;
	/** The address, without user and password. */
	name: string;
	close(): void;
}

export interface RedisOptions {
	/** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
	url: string;
	/** Wait for the server as long as it takes. */
	patient: boolean;
	/** Called once when the connection is lost, and once when it is back. */
	onState?: (state: "down" | "up", where: string) => void;
	signal?: AbortSignal;
}

/** The address without user and password. Throws USAGE unless it is a Redis address. */
export function redisName(url: string): string {
	const parsed = URL.canParse(url) ? new URL(url) : null;
	if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === "") {
		throw new LakeError("USAGE", "REDIS_URL is not a Redis address.", {
			hint: "Give redis://host:6379, or rediss://user:password@host:6380/0 for TLS.",
		});
	}
	return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`;
}

/**
 * Connects. Reconnects by itself later, and commands wait for that.
 * @throws QUEUE_UNAVAILABLE (no server; never when patient), QUEUE_REFUSED (wrong password or user), USAGE
 */
export async function connectRedis({ url, patient, onState, signal }: RedisOptions): Promise<RedisConnection> {
	const where = redisName(url);
	const redis = new Redis(url, {
		lazyConnect: true,
		// BullMQ requires it: commands wait for the server, however long.
		maxRetriesPerRequest: null,
		connectTimeout: CONNECT_SECONDS * 1000,
		retryStrategy: (times) => Math.min(MAX_RECONNECT_MS, 50 * times),
	});
	let last: unknown = null;
	let refused = (_error: unknown): void => {};
	redis.on("error", (error: unknown) => {
		last = error;
		if (isRefusal(error)) refused(error);
	});
	const stopWatching = watchState(redis, where, onState);
	const close = (): void => {
		stopWatching();
		redis.disconnect();
	};
	try {
		await new Promise<void>((resolve, reject) => {
			refused = reject;
			const late = setTimeout(() => reject(last), CONNECT_SECONDS * 1000);
			if (patient) clearTimeout(late);
			signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
			redis.once("ready", resolve);
			redis.connect().catch((error: unknown) => {
				if (!patient || isRefusal(error)) reject(last ?? error);
			});
			redis.once("ready", () => clearTimeout(late));
		});
		// A server that requires a password accepts connections without it.
		await redis.ping();
		return { redis, name: where, close };
	} catch (error) {
		close();
		if (signal?.aborted) throw signal.reason;
		throw connectError(error, where);
	}
}

function watchState(redis: Redis, where: string, onState: RedisOptions["onState"]): () => void {
	let down = false;
	const lost = (): void => {
		if (!down) onState?.("down", where);
		down = true;
	};
	redis.on("close", lost);
	redis.on("ready", () => {
		if (down) onState?.("up", where);
		down = false;
	});
	return () => void redis.off("close", lost);
}

/** The first word of the message is all by which Redis tells kinds of errors. */
function isRefusal(error: unknown): boolean {
	return error instanceof Error && /^(NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR AUTH)/.test(error.message);
}

function connectError(error: unknown, where: string): LakeError {
	if (isRefusal(error)) {
		return new LakeError("QUEUE_REFUSED", `Redis at ${where} refuses the user or the password.`, { cause: error });
	}
	const code = systemCode(error);
	const why = code === null ? "it does not answer" : code;
	return new LakeError("QUEUE_UNAVAILABLE", `Redis at ${where} cannot be reached (${why}).`, { cause: error });
}
