import { createHash } from "node:crypto";
import { LakeClaim, type RunRequest, WorkerInfo } from "../../schemas/jobs.js";
import { canonicalJson } from "../../schemas/records.js";
import type { QueueConnection } from "../wire.js";

/** What stands on the queue's server beside the queue: which run a lake has, and which workers there are. */

/** A claim outlives any run; it is believed only while the queue has its jobs. */
const CLAIM_SECONDS = 30 * 24 * 3600;
/** A worker that says nothing for so long is not shown any more. */
const WORKER_SECONDS = 10;

/**
 * KEYS: the claim. ARGV: what the caller saw ("" for none), the new one, seconds to keep. Sets it if nobody was faster.
 */
const SWAP = `
local present = redis.call("GET", KEYS[1]) or ""
if present ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return 1`;

/** Equal for equal requests. */
export function requestHash(request: RunRequest): string {
	return createHash("sha256").update(canonicalJson(request)).digest("hex");
}

export class Registry {
	readonly #redis: QueueConnection["redis"];
	readonly #prefix: string;

	constructor({ redis, prefix }: QueueConnection) {
		this.#redis = redis;
		this.#prefix = prefix;
	}

	/** The lake's claim and the very text of it; null where it has none, or none that can be read. */
	async claim(lakeId: string): Promise<{ claim: LakeClaim | null; text: string }> {
		const text = (await this.#redis.get(this.#claimKey(lakeId))) ?? "";
		try {
			return { claim: LakeClaim.safeParse(JSON.parse(text)).data ?? null, text };
		} catch {
			return { claim: null, text };
		}
	}

	/** Sets the lake's claim; false where it is not `seen` any more. */
	async setClaim(lakeId: string, seen: string, claim: Omit<LakeClaim, "claimed">): Promise<boolean> {
		const text = JSON.stringify(LakeClaim.parse({ ...claim, claimed: await this.seconds() }));
		return (await this.#redis.eval(SWAP, 1, this.#claimKey(lakeId), seen, text, CLAIM_SECONDS)) === 1;
	}

	/** The server's clock: the one that all who use the queue agree about. */
	async seconds(): Promise<number> {
		const [seconds, microseconds] = await this.#redis.time();
		return Number(seconds) + Number(microseconds) / 1e6;
	}

	async tellWorker(info: WorkerInfo): Promise<void> {
		const text = JSON.stringify(WorkerInfo.parse(info));
		await this.#redis
			.multi()
			.sadd(this.#key("workers"), info.id)
			.set(this.#key("worker", info.id), text, "EX", WORKER_SECONDS)
			.exec();
	}

	async forgetWorker(id: string): Promise<void> {
		await this.#redis.multi().srem(this.#key("workers"), id).del(this.#key("worker", id)).exec();
	}

	/** Those that gave a sign of life lately, by host and process. */
	async workers(): Promise<WorkerInfo[]> {
		const ids = await this.#redis.smembers(this.#key("workers"));
		if (ids.length === 0) return [];
		const texts = await this.#redis.mget(ids.map((id) => this.#key("worker", id)));
		const gone = ids.filter((_, i) => texts[i] === null);
		if (gone.length > 0) await this.#redis.srem(this.#key("workers"), ...gone);
		const found = texts.flatMap((text) => {
			const info = text === null ? null : WorkerInfo.safeParse(JSON.parse(text));
			return info?.success ? [info.data] : [];
		});
		return found.sort((a, b) => (a.host === b.host ? a.pid - b.pid : a.host < b.host ? -1 : 1));
	}

	#claimKey(lakeId: string): string {
		return this.#key("lake", lakeId);
	}

	#key(...parts: string[]): string {
		return [this.#prefix, ...parts].join(":");
	}
}
