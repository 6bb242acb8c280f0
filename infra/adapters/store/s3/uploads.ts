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
import { ByteLimit } from "./byte-limit.js";
import { isAbsent } from "./errors.js";

/** Larger files are uploaded in parts of this size, the unit that a broken connection makes us send again. */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts of one file in flight at once. */
const PARTS_AT_ONCE = 3;
/** Memory for uploads in flight, over all shards. */
const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024;
/** Attempts at a whole file if its multipart upload vanishes. */
const MAX_UPLOADS = 3;
/** Age after which an open upload is taken for abandoned. */
const STALE_MS = 24 * 3600 * 1000;

/** Uploads local files under content-addressed names: unconditionally, and repeatable without harm. */
export class Uploads {
	readonly #bucket: Bucket;
	readonly #byteLimit = new ByteLimit(MAX_BYTES_IN_FLIGHT);
	readonly #note: Progress["note"];

	constructor(bucket: Bucket, note: Progress["note"]) {
		this.#bucket = bucket;
		this.#note = note;
	}

	/** @param checksum the file's SHA-256 in base64, or null where it is unknown */
	async put(path: string, file: string, bytes: number, checksum: string | null): Promise<void> {
		if (bytes > PART_BYTES) return this.#byteLimit.run(PART_BYTES * PARTS_AT_ONCE, () => this.#putLarge(path, file));
		await this.#byteLimit.run(bytes, async () => {
			// Written a moment ago: it comes from the page cache, sooner than another thread could read it.
			const content = readFileSync(file);
			await this.#bucket.put(path, content, checksum ?? checksumOf(content));
		});
	}

	/**
	 * In parts. An upload that is gone when it is completed was completed by an attempt whose response was lost, or was
	 * removed by another process that had stored the same file: in either case the stored file is read back and compared.
	 */
	async #putLarge(path: string, file: string): Promise<void> {
		for (let attempt = 1; ; attempt++) {
			try {
				await this.#putParts(path, file);
				break;
			} catch (error) {
				if (!isAbsent(error)) throw error;
				if (await this.#isStored(path, file)) break;
				if (attempt === MAX_UPLOADS) throw error;
			}
		}
		await this.sweepKey(path);
	}

	async #putParts(path: string, file: string): Promise<void> {
		const { requests, encryption } = this.#bucket;
		const body = createReadStream(file);
		let id: string | undefined;
		// lib-storage needs a client's `send` and `config` only; this way its requests are retried like all others.
		const client = {
			config: requests.client.config,
			send: async (command: UploadPartCommand) => {
				const answer = await requests.send(path, (abortSignal) =>
					requests.client.send(command, abortSignal ? { abortSignal } : {}),
				);
				if ("UploadId" in answer && typeof answer.UploadId === "string") id ??= answer.UploadId;
				return answer;
			},
		} as unknown as S3Client;
		const params = { ...this.#bucket.at(path), Body: body, ChecksumAlgorithm: "SHA256" as const, ...encryption };
		// A failed upload's parts are removed below, and that is awaited.
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

	/** Whether the bucket has exactly this file under the path. */
	async #isStored(path: string, file: string): Promise<boolean> {
		const present = await this.#bucket.get(path);
		if (present === null) return false;
		const hash = createHash("sha256");
		for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
		return hash.digest("base64") === checksumOf(present.content);
	}

	/** Removes open uploads of a path that is stored whole: nobody can need their parts. */
	async sweepKey(path: string): Promise<void> {
		const { Bucket, Key } = this.#bucket.at(path);
		await this.#sweep(path, { Bucket, Prefix: Key }, async (upload) => upload.Key === Key);
	}

	/** Removes open uploads that dead runs left in the lake: those of files stored by now, and those over a day old. */
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
		isStale: (upload: MultipartUpload) => Promise<boolean>,
	): Promise<void> {
		const { requests } = this.#bucket;
		try {
			for (let markers = {}; ; ) {
				const command = new ListMultipartUploadsCommand({ ...below, ...markers });
				const page = await requests.send(path, () => requests.client.send(command), { finish: true });
				for (const upload of page.Uploads ?? []) {
					const { Key, UploadId } = upload;
					if (Key === undefined || UploadId === undefined || !(await isStale(upload))) continue;
					await this.#abort(this.#bucket.pathOf(Key), UploadId);
				}
				if (!page.IsTruncated || !page.NextKeyMarker) return;
				markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
			}
		} catch (error) {
			// The right to list uploads is not required: a lifecycle rule of the bucket does this, too.
			this.#note("warn", "Open uploads of earlier runs could not be listed.", { reason: String(error) });
		}
	}

	async #abort(path: string, id: string): Promise<void> {
		const { requests } = this.#bucket;
		const command = new AbortMultipartUploadCommand({ ...this.#bucket.at(path), UploadId: id });
		try {
			await requests.send(path, () => requests.client.send(command), { finish: true });
		} catch (error) {
			if (!isAbsent(error)) this.#note("warn", `An open upload of ${path} could not be removed.`, { upload: id });
		}
	}
}
