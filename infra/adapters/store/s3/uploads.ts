import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import {
	AbortMultipartUploadCommand,
	ListMultipartUploadsCommand,
	type MultipartUpload,
	type S3Client,
	type UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { Progress } from "../../../../pipelines/ports/run.js";
import { type Bucket, checksumOf } from "./bucket.js";
import { Gate } from "./byte-limit.js";
import { isAbsent } from "./errors.js";

/** Larger files go in parts of this size: what is sent again after a broken connection. */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts of one file under way at once. */
const PARTS_AT_ONCE = 3;
/** Bytes held for uploads under way, over all shards. */
const HELD_BYTES = 64 * 1024 * 1024;
/** How often a whole file is sent again because its upload vanished. */
const WHOLE_TRIES = 3;
/** An open upload that is older belongs to nobody. */
const STALE_MS = 24 * 3600 * 1000;

/** Puts local files into the bucket, under names that are their content's: without condition, and again without harm. */
export class Uploads {
	readonly #bucket: Bucket;
	readonly #gate = new Gate(HELD_BYTES);
	readonly #note: Progress["note"];

	constructor(bucket: Bucket, note: Progress["note"]) {
		this.#bucket = bucket;
		this.#note = note;
	}

	/** @param checksum the file's SHA-256 as base64, where it is known */
	async put(path: string, file: string, bytes: number, checksum: string | null): Promise<void> {
		if (bytes > PART_BYTES) return this.#gate.run(PART_BYTES * PARTS_AT_ONCE, () => this.#putLarge(path, file));
		await this.#gate.run(bytes, async () => {
			// Written a moment ago, so it comes from memory, and sooner than another thread could be asked for it.
			const content = readFileSync(file);
			await this.#bucket.put(path, content, checksum ?? checksumOf(content));
		});
	}

	/**
	 * In parts. An upload that is gone when it is completed was completed by an attempt whose answer was lost, or swept by
	 * another process that had stored the same file: either way what is there is read back and compared.
	 */
	async #putLarge(path: string, file: string): Promise<void> {
		for (let attempt = 1; ; attempt++) {
			try {
				await this.#putParts(path, file);
				break;
			} catch (error) {
				if (!isAbsent(error)) throw error;
				if (await this.#isThere(path, file)) break;
				if (attempt === WHOLE_TRIES) throw error;
			}
		}
		await this.sweepKey(path);
	}

	async #putParts(path: string, file: string): Promise<void> {
		const { calls, encryption } = this.#bucket;
		const body = createReadStream(file);
		let id: string | undefined;
		// lib-storage needs `send` and `config` of a client: each of its requests is tried again like all others.
		const client = {
			config: calls.client.config,
			send: async (command: UploadPartCommand) => {
				const answer = await calls.call(path, (abortSignal) =>
					calls.client.send(command, abortSignal ? { abortSignal } : {}),
				);
				if ("UploadId" in answer && typeof answer.UploadId === "string") id ??= answer.UploadId;
				return answer;
			},
		} as unknown as S3Client;
		const params = { ...this.#bucket.at(path), Body: body, ChecksumAlgorithm: "SHA256" as const, ...encryption };
		// What is left of a failed upload is removed below, and waited for.
		const settings = { partSize: PART_BYTES, queueSize: PARTS_AT_ONCE, leavePartsOnError: true };
		try {
			await new Upload({ client, params, ...settings }).done();
		} catch (error) {
			if (id !== undefined) await this.#abort(path, id);
			throw error;
		} finally {
			body.destroy();
		}
	}

	/** Whether the bucket has the file's very bytes under this path. */
	async #isThere(path: string, file: string): Promise<boolean> {
		const present = await this.#bucket.get(path);
		if (present === null) return false;
		const hash = createHash("sha256");
		for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
		return hash.digest("base64") === checksumOf(present.content);
	}

	/** Removes open uploads of a path that is stored whole: their parts can be of no use to anybody. */
	async sweepKey(path: string): Promise<void> {
		const { Bucket, Key } = this.#bucket.at(path);
		await this.#sweep(path, { Bucket, Prefix: Key }, async (upload) => upload.Key === Key);
	}

	/** Removes open uploads of dead runs below the lake: of files that are stored by now, and any of a day ago. */
	async sweepStale(): Promise<void> {
		await this.#sweep("", this.#bucket.below(""), async ({ Key = "", Initiated }) => {
			const path = this.#bucket.pathOf(Key);
			if (!/^(objects|tables)\//.test(path)) return false;
			if (Initiated !== undefined && Date.now() - Initiated.getTime() > STALE_MS) return true;
			return (await this.#bucket.size(path, { finish: true })) !== null;
		});
	}

	async #sweep(
		path: string,
		below: { Bucket: string; Prefix: string },
		isLeft: (upload: MultipartUpload) => Promise<boolean>,
	): Promise<void> {
		const { calls } = this.#bucket;
		try {
			for (let markers = {}; ; ) {
				const command = new ListMultipartUploadsCommand({ ...below, ...markers });
				const page = await calls.call(path, () => calls.client.send(command), { finish: true });
				for (const upload of page.Uploads ?? []) {
					const { Key, UploadId } = upload;
					if (Key === undefined || UploadId === undefined || !(await isLeft(upload))) continue;
					await this.#abort(this.#bucket.pathOf(Key), UploadId);
				}
				if (!page.IsTruncated || !page.NextKeyMarker) return;
				markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
			}
		} catch (error) {
			// Whoever may not list uploads stores all the same; a lifecycle rule of the bucket does this as well.
			this.#note("warn", "open uploads of earlier runs could not be looked for", { reason: String(error) });
		}
	}

	async #abort(path: string, id: string): Promise<void> {
		const { calls } = this.#bucket;
		const command = new AbortMultipartUploadCommand({ ...this.#bucket.at(path), UploadId: id });
		try {
			await calls.call(path, () => calls.client.send(command), { finish: true });
		} catch (error) {
			if (!isAbsent(error)) this.#note("warn", `an open upload of ${path} could not be removed`, { upload: id });
		}
	}
}
