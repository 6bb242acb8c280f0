import { statSync, unlinkSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { each } from "../../../../pipelines/each.js";
import { LATEST, objectFile, PRIVATE } from "../../../../pipelines/lake/paths.js";
import type { Clock, Progress } from "../../../../pipelines/ports/run.js";
import type { LakeFile, LakePlace, StagePlace, Store } from "../../../../pipelines/ports/store.js";
import type { RetryPolicy } from "../../../../pipelines/retry.js";
import { holdMark } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";
import { checkPath } from "../folder/paths.js";
import { dropLeftOvers } from "../folder/store.js";
import { Bucket, checksumOf, type Encryption } from "./bucket.js";
import { openClient } from "./client.js";
import { conditionsWork } from "./conditions.js";
import { isAbsent, isRefusedCondition } from "./errors.js";
import { checksumByName, ObjectIndex } from "./object-index.js";
import { readObject } from "./read.js";
import { Requests } from "./requests.js";
import { PART_BYTES, Uploads } from "./uploads.js";

/** Objects in flight at once, for each shard being published. */
const OBJECTS_AT_ONCE = 32;
/** S3's own limit. */
const MAX_KEYS_PER_DELETE = 1000;

export interface S3StoreOptions {
	bucket: string;
	/** Without slashes at its ends; empty if the lake is the whole bucket. */
	prefix: string;
	/** Absolute path of this machine's scratch folder; objects are staged below it. */
	scratch: string;
	encryption: Encryption;
	/** Write even if the server lacks conditional writes. */
	singleWriter: boolean;
	env: NodeJS.ProcessEnv;
	clock: Clock;
	retry: RetryPolicy;
	/** Ends uploads, listings and long reads; writes of records in flight may finish. */
	signal: AbortSignal;
	note: Progress["note"];
}

/**
 * A lake in an S3 bucket, at Amazon or any compatible server. Objects and parquet have content-addressed names and are
 * put unconditionally; records by `If-None-Match` and `If-Match`. If a response is lost, reading back decides.
 *
 * Throws LAKE_NOT_FOUND (no bucket), LAKE_UNWRITABLE (refused), LAKE_UNAVAILABLE (no response after all retries),
 * LAKE_UNSUPPORTED (no conditional writes), NO_SPACE, INTERNAL (a path outside the lake), and the signal's reason.
 */
export async function openS3Store(options: S3StoreOptions): Promise<Store & LakePlace> {
	const bucket = await openBucket(options);
	return new BucketStore(bucket.requests.place.store, bucket, options);
}

/** The lake's part of the bucket. */
export async function openBucket(options: S3StoreOptions): Promise<Bucket> {
	const { bucket, prefix } = options;
	const { client, endpoint } = await openClient(options.env);
	const store = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
	return new Bucket(new Requests(client, { store, bucket, endpoint }, options), bucket, prefix, options.encryption);
}

class BucketStore implements Store, LakePlace {
	readonly name: string;
	readonly stage: StagePlace;
	readonly #bucket: Bucket;
	readonly #requests: Requests;
	readonly #uploads: Uploads;
	readonly #options: S3StoreOptions;
	/** Whether the server honours conditions; tried out once, before the first write. */
	#conditions: Promise<boolean> | null = null;
	#warned = false;
	/** The lake's objects, listed when the first are published. */
	#index: Promise<ObjectIndex> | null = null;

	constructor(name: string, bucket: Bucket, options: S3StoreOptions) {
		this.name = name;
		this.stage = { kind: "scratch", folder: join(options.scratch, "staged", ownerId()) };
		this.#bucket = bucket;
		this.#requests = bucket.requests;
		this.#uploads = new Uploads(bucket, options.note);
		this.#options = options;
	}

	beginStaging(): void {
		holdMark(this.#options.scratch);
	}

	/** Throws LAKE_NOT_FOUND (no bucket) as well. */
	async requireLake(): Promise<void> {
		await this.#requests.guard("", async () => {
			if ((await this.#bucket.get(LATEST)) !== null) return;
			if (!(await this.#hasAny("")) || (await this.#hasAny(PRIVATE))) return;
			const hint = "Give --lake an empty or new prefix.";
			throw new LakeError("LAKE_NOT_A_LAKE", `The prefix ${this.name} holds other files and is not a lake.`, {
				path: this.name,
				hint,
			});
		});
	}

	/** Tries the server's conditional writes out, once. Every write waits for it too. */
	async prepareWrites(): Promise<void> {
		await this.#conditional();
	}

	async freeBytes(): Promise<null> {
		return null;
	}

	get(path: string): Promise<Buffer | null> {
		return this.#requests.guard(path, async () => (await this.#bucket.get(path, { finish: true }))?.content ?? null);
	}

	stat(path: string): Promise<LakeFile | null> {
		return this.#requests.guard(path, () => this.#bucket.head(path, { finish: true }));
	}

	read(path: string): Promise<Readable> {
		return readObject(this.#bucket, path);
	}

	localPath(path: string): null {
		checkPath(path);
		return null;
	}

	async *list(prefix: string): AsyncIterable<LakeFile> {
		const folder = prefix.replace(/\/$/, "");
		const pages = this.#bucket.list(folder)[Symbol.asyncIterator]();
		for (;;) {
			const page = await this.#requests.guard(folder, () => pages.next());
			if (page.done) return;
			for (const file of page.value) if (folder !== "" || !file.path.startsWith(`${PRIVATE}/`)) yield file;
		}
	}

	putIfAbsent(path: string, content: Buffer): Promise<boolean> {
		return this.#requests.guard(path, async () => {
			checkPath(path);
			if (await this.#conditional()) return this.#putRecord(path, content, { IfNoneMatch: "*" });
			if ((await this.#bucket.size(path)) !== null) return false;
			return this.#putRecord(path, content, {});
		});
	}

	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		return this.#requests.guard(path, async () => {
			checkPath(path);
			const conditional = await this.#conditional();
			const present = await this.#bucket.get(path, { finish: true });
			const same = present === null || seen === null ? present === seen : present.content.equals(seen);
			if (!same) return false;
			if (!conditional) return this.#putRecord(path, content, {});
			return this.#putRecord(path, content, present === null ? { IfNoneMatch: "*" } : { IfMatch: present.etag });
		});
	}

	async putFile(path: string, localFile: string): Promise<void> {
		await this.#requests.guard(path, async () => {
			checkPath(path);
			await this.#conditional();
			const { size } = await stat(localFile);
			if ((await this.#bucket.size(path)) !== size) return this.#uploads.put(path, localFile, size, null);
			if (size > PART_BYTES) await this.#uploads.sweepKey(path);
		});
	}

	/** Unconditionally: the name is content-addressed. */
	async overwrite(path: string, localFile: string): Promise<void> {
		await this.#requests.guard(path, async () => {
			checkPath(path);
			await this.#uploads.put(path, localFile, (await stat(localFile)).size, null);
		});
	}

	async publishObjects(staged: string[]): Promise<void> {
		for (const key of staged) checkPath(key);
		await this.#requests.guard(objectFile.folder, async () => {
			await this.#conditional();
			this.#index ??= this.#listObjects();
			const index = await this.#index;
			await each(new Set(staged), OBJECTS_AT_ONCE, (key) =>
				this.#requests.guard(key, () => this.#publishObject(key, index)),
			);
		});
	}

	async dropStaged(): Promise<void> {
		// The next run of a long-lived process lists again, since a vacuum may have run in between.
		this.#index = null;
		await rm(this.stage.folder, { recursive: true, force: true });
		const { scratch } = this.#options;
		await dropLeftOvers(join(scratch, "staged"), scratch);
		// A run that wrote nothing changes nothing here, either.
		if (this.#conditions !== null) await this.#requests.guard("", () => this.#uploads.sweepStale());
	}

	async delete(paths: string[]): Promise<void> {
		await this.#requests.guard(paths[0] ?? "", async () => {
			for (const path of paths) checkPath(path);
			await this.#conditional();
			const refused: { path: string; code: string }[] = [];
			for (let at = 0; at < paths.length; at += MAX_KEYS_PER_DELETE) {
				refused.push(...(await this.#bucket.delete(paths.slice(at, at + MAX_KEYS_PER_DELETE))));
			}
			const [first] = refused;
			if (!first) return;
			const others = refused.length > 1 ? ` and ${refused.length - 1} more` : "";
			throw new LakeError(
				"LAKE_UNWRITABLE",
				`The lake ${this.name} did not delete ${first.path} (${first.code})${others}.`,
				{
					path: first.path,
					hint: "Deleting needs s3:DeleteObject on the whole lake: see docs/s3.md. What is left is deleted by the next run.",
					exit: 1,
				},
			);
		});
	}

	/** Uploads one staged object unless the lake has it. One that another shard of this process published is no longer staged. */
	async #publishObject(key: string, index: ObjectIndex): Promise<void> {
		const file = join(this.stage.folder, basename(key));
		try {
			const { size } = statSync(file);
			if (index.size(key) !== size) {
				await this.#uploads.put(key, file, size, checksumByName(key));
				index.add(key, size);
			}
			unlinkSync(file);
		} catch (error) {
			if (systemCode(error) !== "ENOENT") throw error;
			if (index.size(key) !== undefined) return;
			throw new LakeError("LAKE_DAMAGED", `The object ${key} is neither staged nor in the lake.`, { path: key });
		}
	}

	async #listObjects(): Promise<ObjectIndex> {
		const index = new ObjectIndex();
		for await (const page of this.#bucket.list(objectFile.folder))
			for (const { path, bytes } of page) index.add(path, bytes);
		return index;
	}

	/** Whether this call stored the content; false when the condition did not hold. */
	async #putRecord(
		path: string,
		content: Buffer,
		condition: { IfNoneMatch?: string; IfMatch?: string },
	): Promise<boolean> {
		let unsure = false;
		const onFailure = () => {
			unsure = true;
		};
		try {
			await this.#bucket.put(path, content, checksumOf(content), { condition, finish: true, onFailure });
			return true;
		} catch (error) {
			// A swap answers 404 if the record was removed meanwhile.
			if (!isRefusedCondition(error) && !isAbsent(error)) throw error;
			if (!unsure) return false;
			// The response to an earlier attempt was lost: that attempt's write may be what this one met.
			const present = await this.#bucket.get(path, { finish: true });
			return present?.content.equals(content) ?? false;
		}
	}

	/** Tries out the conditions once; after another error the next write tries again. */
	async #conditional(): Promise<boolean> {
		this.#conditions ??= this.#requests.guard(PRIVATE, () => conditionsWork(this.#bucket));
		const work = await this.#conditions.catch((error: unknown) => {
			this.#conditions = null;
			throw error;
		});
		if (work) return true;
		const { singleWriter, note, bucket } = this.#options;
		const where = `${this.#requests.place.endpoint ?? "S3"}, bucket ${bucket}`;
		if (!singleWriter) {
			throw new LakeError("LAKE_UNSUPPORTED", `Conditional writes do not work at ${where}, so two writers could mix.`, {
				path: this.name,
				hint: "Use a store that has them (see docs/s3.md), or make sure that one mirror writes at a time and add --single-writer.",
			});
		}
		if (!this.#warned) note("warn", `Conditional writes do not work at ${where}: let nobody else write to this lake.`);
		this.#warned = true;
		return false;
	}

	async #hasAny(folder: string): Promise<boolean> {
		for await (const page of this.#bucket.list(folder, 1)) return page.length > 0;
		return false;
	}
}
