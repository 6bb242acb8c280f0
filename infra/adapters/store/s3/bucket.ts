import { createHash } from "node:crypto";
import {
	DeleteObjectsCommand,
	GetObjectCommand,
	HeadObjectCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	type PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import type { LakeFile } from "../../../../pipelines/ports/store.js";
import { checkPath } from "../folder/paths.js";
import { isAbsent } from "./errors.js";
import type { CallOptions, Calls } from "./requests.js";

/** How the server shall encrypt what it stores; absent: the bucket's own way. */
export interface Encryption {
	ServerSideEncryption?: "AES256" | "aws:kms" | "aws:kms:dsse";
	SSEKMSKeyId?: string;
}

/** A record as it stands in the bucket. */
export interface Present {
	content: Buffer;
	etag: string;
}

/** Bytes of a SHA-256 as S3's headers have them. */
export function checksumOf(content: Buffer): string {
	return createHash("sha256").update(content).digest("base64");
}

/** The few requests that the store is made of, by paths of the lake. Throws what the server answers. */
export class Bucket {
	readonly calls: Calls;
	readonly encryption: Encryption;
	readonly #name: string;
	/** Without slashes at its ends; empty where the lake is the whole bucket. */
	readonly #prefix: string;

	constructor(calls: Calls, name: string, prefix: string, encryption: Encryption) {
		this.calls = calls;
		this.encryption = encryption;
		this.#name = name;
		this.#prefix = prefix;
	}

	/** Bucket and key of a lake's path. Throws INTERNAL for what is no path inside the lake. */
	at(path: string): { Bucket: string; Key: string } {
		checkPath(path);
		return { Bucket: this.#name, Key: this.#prefix === "" ? path : `${this.#prefix}/${path}` };
	}

	/** Bucket and prefix of everything below a folder; of the whole lake with "". */
	below(folder: string): { Bucket: string; Prefix: string } {
		if (folder !== "") return { Bucket: this.#name, Prefix: `${this.at(folder).Key}/` };
		return { Bucket: this.#name, Prefix: this.#prefix === "" ? "" : `${this.#prefix}/` };
	}

	/** The lake's path of a key below its prefix. */
	pathOf(key: string): string {
		return this.#prefix === "" ? key : key.slice(this.#prefix.length + 1);
	}

	/** Whole content, held against the checksum that the server keeps; null when absent. */
	async get(path: string, options?: CallOptions): Promise<Present | null> {
		const at = this.at(path);
		const get = async (abortSignal: AbortSignal | undefined): Promise<Present> => {
			const command = new GetObjectCommand({ ...at, ChecksumMode: "ENABLED" });
			const { Body, ETag = "" } = await this.calls.client.send(command, abortSignal ? { abortSignal } : {});
			return { content: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: ETag };
		};
		return this.calls.call(path, get, options).catch(nullIfAbsent);
	}

	/** Null when absent. */
	async head(path: string, options?: CallOptions): Promise<LakeFile | null> {
		const at = this.at(path);
		const head = async (abortSignal: AbortSignal | undefined): Promise<LakeFile> => {
			const answer = await this.calls.client.send(new HeadObjectCommand(at), abortSignal ? { abortSignal } : {});
			return { path, bytes: answer.ContentLength ?? 0, modified: answer.LastModified?.getTime() ?? 0 };
		};
		return this.calls.call(path, head, options).catch(nullIfAbsent);
	}

	/** Size in bytes, or null when absent. */
	async size(path: string, options?: CallOptions): Promise<number | null> {
		return (await this.head(path, options))?.bytes ?? null;
	}

	/** Removes up to 1000 keys by one request; returns those that the server would not remove, with its reasons. */
	async delete(paths: string[]): Promise<{ path: string; code: string }[]> {
		const [{ Bucket } = { Bucket: "" }] = paths.map((path) => this.at(path));
		const Delete = { Objects: paths.map((path) => ({ Key: this.at(path).Key })), Quiet: true };
		const command = new DeleteObjectsCommand({ Bucket, Delete, ChecksumAlgorithm: "SHA256" });
		const answer = await this.calls.call(paths[0] ?? "", (abortSignal) =>
			this.calls.client.send(command, abortSignal ? { abortSignal } : {}),
		);
		return (answer.Errors ?? []).map(({ Key = "", Code = "" }) => ({ path: this.pathOf(Key), code: Code }));
	}

	/** Stores content whose SHA-256, as base64, goes with it: the server refuses other bytes. */
	async put(
		path: string,
		content: Buffer,
		checksum: string,
		condition: Pick<PutObjectCommandInput, "IfMatch" | "IfNoneMatch"> = {},
		options?: CallOptions,
	): Promise<void> {
		const input = { ...this.at(path), Body: content, ChecksumSHA256: checksum, ...this.encryption, ...condition };
		await this.calls.call(
			path,
			(abortSignal) => this.calls.client.send(new PutObjectCommand(input), abortSignal ? { abortSignal } : {}),
			options,
		);
	}

	/** Every key below the folder, page by page; `limit` keys a page. Markers of empty folders are left out. */
	async *list(folder: string, limit = 1000): AsyncIterable<LakeFile[]> {
		const below = this.below(folder);
		let token: string | undefined;
		do {
			const input = { ...below, MaxKeys: limit, ...(token === undefined ? {} : { ContinuationToken: token }) };
			const page = await this.calls.call(folder, (abortSignal) =>
				this.calls.client.send(new ListObjectsV2Command(input), abortSignal ? { abortSignal } : {}),
			);
			const files = (page.Contents ?? []).filter(({ Key }) => Key !== undefined && !Key.endsWith("/"));
			yield files.map(({ Key = "", Size = 0, LastModified }) => {
				return { path: this.pathOf(Key), bytes: Size, modified: LastModified?.getTime() ?? 0 };
			});
			token = page.IsTruncated ? page.NextContinuationToken : undefined;
		} while (token !== undefined);
	}
}

export function nullIfAbsent(error: unknown): null {
	if (isAbsent(error)) return null;
	throw error;
}
