import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CopyObjectCommand, GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { CliEnd, CliProcess } from "./cli.js";
import { faultEnv } from "./fault.js";
import { digestOf, readPinned } from "./lake.js";
import type { S3Server } from "./s3.js";
import type { MirrorOptions, World } from "./world.js";

/** A lake below a prefix of the server's bucket, with a scratch folder of its own; read without the product's own adapter. */
export class S3Lake {
	readonly address: string;
	readonly scratch: string;
	/** Where its commands find the server; a proxy may stand in between. */
	endpoint: string;

	readonly world: World;
	readonly server: S3Server;
	readonly prefix: string;

	constructor(world: World, server: S3Server, prefix: string) {
		this.world = world;
		this.server = server;
		this.prefix = prefix;
		this.address = `s3://${server.bucket}/${prefix}`;
		this.endpoint = server.endpoint;
		this.scratch = world.fresh("scratch");
	}

	/** Starts `irlake` on it. */
	start(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliProcess> {
		const surroundings = { HF_ENDPOINT: this.world.hub.endpoint, LOG_LEVEL: "warn", ...this.server.env(this.endpoint) };
		// Servers that fail as told are soon themselves again.
		const retry = { IRLAKE_RETRIES: "7", IRLAKE_RETRY_WAIT: "0.1" };
		const where = { ...retry, IRLAKE_LAKE: this.address, IRLAKE_SCRATCH: this.scratch };
		return this.world.start([...args, "--json"], { ...surroundings, ...where, ...env });
	}

	startMirror(options: MirrorOptions = {}): Promise<CliProcess> {
		const { shards = this.world.shards, concurrency = 2, args = [], fault } = options;
		const asked = ["--shards", shards.join(","), "--concurrency", String(concurrency), ...args];
		return this.start(["mirror", ...asked], fault ? faultEnv(fault) : {});
	}

	async mirror(options: MirrorOptions = {}): Promise<CliEnd> {
		return (await this.startMirror(options)).ended;
	}

	async verify(...args: string[]): Promise<CliEnd> {
		return (await this.start(["verify", ...args])).ended;
	}

	/** Folders of objects that were staged and never published. */
	staged(): string[] {
		const folder = join(this.scratch, "staged");
		return existsSync(folder) ? readdirSync(folder) : [];
	}

	/** Every key below the prefix, as paths of the lake. */
	async keys(): Promise<string[]> {
		return (await this.sizes()).map(({ path }) => path);
	}

	/** Every key below the prefix with its size in bytes, sorted. */
	async sizes(): Promise<{ path: string; bytes: number }[]> {
		const found: { path: string; bytes: number }[] = [];
		let token: string | undefined;
		do {
			const page = await this.server.client.send(
				new ListObjectsV2Command({
					Bucket: this.server.bucket,
					Prefix: `${this.prefix}/`,
					...(token === undefined ? {} : { ContinuationToken: token }),
				}),
			);
			for (const { Key = "", Size = 0 } of page.Contents ?? []) {
				found.push({ path: Key.slice(this.prefix.length + 1), bytes: Size });
			}
			token = page.NextContinuationToken;
		} while (token !== undefined);
		return found.sort((a, b) => (a.path < b.path ? -1 : 1));
	}

	/** Copies every key into a fresh folder, so that whatever reads a lake in a folder can read it. */
	async download(): Promise<string> {
		const folder = this.world.fresh("downloaded");
		for (const path of await this.keys()) {
			const at = { Bucket: this.server.bucket, Key: `${this.prefix}/${path}` };
			const { Body } = await this.server.client.send(new GetObjectCommand(at));
			mkdirSync(dirname(join(folder, path)), { recursive: true });
			writeFileSync(join(folder, path), (await Body?.transformToByteArray()) ?? "");
		}
		return folder;
	}

	/** What a pinned reader sees, and one SHA-256 over all keys but `.irlake/`; throws where the snapshot is not whole. */
	async look(): Promise<{ number: number; digest: string }> {
		const folder = await this.download();
		return { number: readPinned(folder), digest: digestOf(folder) };
	}

	/** What a reader pinned to `latest.json` sees: the snapshot's number, 0 of none; throws where it is not whole. */
	async pinned(): Promise<number> {
		return readPinned(await this.download());
	}

	/** A copy, scratch folder not included. */
	async copy(prefix: string): Promise<S3Lake> {
		for (const path of await this.keys()) await this.copyTo(prefix, path);
		return new S3Lake(this.world, this.server, prefix);
	}

	/** Copies one key of the lake below another prefix. */
	async copyTo(prefix: string, path: string): Promise<void> {
		const { bucket: Bucket, client } = this.server;
		const CopySource = encodeURI(`${Bucket}/${this.prefix}/${path}`);
		await client.send(new CopyObjectCommand({ Bucket, Key: `${prefix}/${path}`, CopySource }));
	}
}
