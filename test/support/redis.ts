import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import { ROOT, tempDir } from "./root.js";

/** A real Redis of its own: on a free port of loopback, its data in a folder of its own, writing each change to disk. */

/** Brings Redis up. */
export const REDIS_SCRIPT = join(ROOT, "infra/scripts/redis.sh");

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (address === null || typeof address === "string") throw new Error("no port was given");
	return address.port;
}

export class RedisServer {
	readonly url: string;
	readonly port: number;
	/** For tests that look at the server, or wipe it. */
	readonly client: Redis;
	readonly #data: { path: string; remove: () => void };
	readonly #args: string[];
	#child: ChildProcess;

	constructor(port: number, url: string, data: { path: string; remove: () => void }, args: string[]) {
		this.port = port;
		this.url = url;
		this.#data = data;
		this.#args = args;
		this.#child = this.#spawn();
		this.client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
		this.client.on("error", () => {});
	}

	/** @param args beside the script's own settings, such as `--requirepass` */
	static async start(args: string[] = [], url = (port: number): string => `redis://127.0.0.1:${port}`) {
		const port = await freePort();
		const server = new RedisServer(port, url(port), tempDir("redis"), args);
		await server.client.ping();
		return server;
	}

	/** Ends the server as a crash does, and starts it again on what it had written. */
	async restart(): Promise<void> {
		await this.#end("SIGKILL");
		this.#child = this.#spawn();
		await this.client.ping();
	}

	async stopServer(): Promise<void> {
		await this.#end("SIGTERM");
	}

	async startServer(): Promise<void> {
		this.#child = this.#spawn();
		await this.client.ping();
	}

	async stop(): Promise<void> {
		this.client.disconnect();
		await this.#end("SIGTERM");
		this.#data.remove();
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const gone = once(this.#child, "exit");
		this.#child.kill(signal);
		await gone;
	}

	#spawn(): ChildProcess {
		const args = ["run", this.#data.path, String(this.port), ...this.#args];
		return spawn(REDIS_SCRIPT, args, { stdio: "ignore" });
	}
}

/** Looks every 50 ms until `look` gives something true; throws after so many seconds. */
export async function until<T>(what: string, look: () => Promise<T>, seconds = 60): Promise<NonNullable<T>> {
	const deadline = performance.now() + seconds * 1000;
	for (;;) {
		const found = await look();
		if (found) return found;
		if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
		await setTimeout(50);
	}
}
