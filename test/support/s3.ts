import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { ROOT, tempDir } from "./root.js";
import { runProgram } from "./run-program.js";

/** A real S3 server for tests: versitygw, or the one that `IRLAKE_TEST_S3` names (`minio`). */

const SCRIPT = join(ROOT, "infra/scripts/s3-server.sh");
export const S3_KIND: string = process.env.IRLAKE_TEST_S3 || "versitygw";
const HEALTH: Record<string, string> = { versitygw: "/health", minio: "/minio/health/ready" };
const ACCESS_KEY = "irlake-test";
const SECRET_KEY = "irlake-test-secret";
const STARTED_WITHIN_MS = 60_000;

let made: Promise<string | null> | undefined;

/** Why there is no server, or null where there is one; it is built on the first call. */
export function s3Missing(): Promise<string | null> {
	made ??= runProgram(SCRIPT, ["install", S3_KIND]).then(({ code, stderr }) => (code === 0 ? null : stderr.trim()));
	return made;
}

/** A running server with a bucket of this suite's own. */
export class S3Server {
	readonly endpoint: string;
	readonly bucket = "lakes";
	readonly client: S3Client;
	readonly #child: ChildProcess;
	readonly #root: ReturnType<typeof tempDir>;

	constructor(child: ChildProcess, port: number, root: ReturnType<typeof tempDir>) {
		this.#child = child;
		this.#root = root;
		this.endpoint = `http://127.0.0.1:${port}`;
		this.client = new S3Client({
			endpoint: this.endpoint,
			region: "us-east-1",
			forcePathStyle: true,
			credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
		});
	}

	/** Throws where it cannot be had, or is not ready in a minute. */
	static async start(): Promise<S3Server> {
		const reason = await s3Missing();
		if (reason !== null) throw new Error(reason);
		const root = tempDir("s3");
		const port = await freePort();
		const child = spawn(SCRIPT, ["run", S3_KIND, root.path, String(port)], {
			stdio: ["ignore", "ignore", "inherit"],
			env: { ...process.env, S3_ACCESS_KEY: ACCESS_KEY, S3_SECRET_KEY: SECRET_KEY },
		});
		// Whatever ends this process in an orderly way ends the server too.
		process.once("exit", () => child.kill("SIGKILL"));
		const server = new S3Server(child, port, root);
		try {
			await server.#ready();
			await server.client.send(new CreateBucketCommand({ Bucket: server.bucket }));
			return server;
		} catch (error) {
			await server.stop();
			throw error;
		}
	}

	/** What a command needs to reach it; another endpoint, such as a proxy's, may stand in between. */
	env(endpoint: string = this.endpoint): NodeJS.ProcessEnv {
		return {
			AWS_ENDPOINT_URL_S3: endpoint,
			AWS_ACCESS_KEY_ID: ACCESS_KEY,
			AWS_SECRET_ACCESS_KEY: SECRET_KEY,
			AWS_REGION: "us-east-1",
			AWS_EC2_METADATA_DISABLED: "true",
		};
	}

	/** Open multipart uploads of this key; of the whole bucket where the server can tell (MinIO cannot). */
	async openUploads(key?: string): Promise<string[]> {
		const answer = await this.client.send(
			new ListMultipartUploadsCommand({ Bucket: this.bucket, ...(key === undefined ? {} : { Prefix: key }) }),
		);
		return (answer.Uploads ?? []).map(({ Key = "" }) => Key);
	}

	async stop(): Promise<void> {
		this.client.destroy();
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			const gone = once(this.#child, "exit");
			this.#child.kill("SIGKILL");
			await gone;
		}
		this.#root.remove();
	}

	async #ready(): Promise<void> {
		const late = Date.now() + STARTED_WITHIN_MS;
		for (;;) {
			const answer = await fetch(`${this.endpoint}${HEALTH[S3_KIND]}`).catch(() => null);
			if (answer?.ok) return;
			if (this.#child.exitCode !== null) throw new Error(`${S3_KIND} ended with ${this.#child.exitCode}`);
			if (Date.now() > late) throw new Error(`${S3_KIND} is not ready after a minute`);
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	server.close();
	await once(server, "close");
	return port;
}
