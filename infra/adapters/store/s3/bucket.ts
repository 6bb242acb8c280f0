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
import type { RequestOptions, Requests } from "./requests.js";

/** How the server encrypts what it stores; absent: by the bucket's default. */
export interface Encryption {
	ServerSideEncryption?: "AES256" | "aws:kms" | "aws:kms:dsse";
	SSEKMSKeyId?: string;
}

/** A record as stored in the bucket. */
interface Stored {
	content: Buffer;
	etag: string;
}

/** A SHA-256 in base64, as in S3's headers. */
export function checksumOf(content: Buffer): string {
	return createHash("sha256").update(content).digest("base64");
}

interface PutOptions extends RequestOptions {
	condition?: Pick<PutObjectCommandInput, "IfMatch" | "IfNoneMatch">;
}

/** The few requests that the store needs, by lake paths. Throws the server's own errors. */
export class Bucket {
	readonly requests: Requests;
	readonly encryption: Encryption;
	readonly #name: string;
	/** Without slashes at its ends; empty if the lake is the whole bucket. */
	readonly #prefix: string;

	constructor(requests: Requests, name: string, prefix: string, encryption: Encryption) {
		this.requests = requests;
		this.encryption = encryption;
		this.#name = name;
		this.#prefix = prefix;
	}

	/** Bucket and key of a lake path. Throws INTERNAL for a path outside the lake. */
	at(path: string): { Bucket: string; Key: string } {
		checkPath(path);
		return { Bucket: this.#name, Key: this.#prefix === "" ? path : `${this.#prefix}/${path}` };
	}

	/** Bucket and prefix of all keys below a folder; "" is the whole lake. */
	below(folder: string): { Bucket: string; Prefix: string } {
		if (folder !== "") return { Bucket: this.#name, Prefix: `${this.at(folder).Key}/` };
		return { Bucket: this.#name, Prefix: this.#prefix === "" ? "" : `${this.#prefix}/` };
	}

	/** The lake path of a key. */
	pathOf(key: string): string {
		return this.#prefix === "" ? key : key.slice(this.#prefix.length + 1);
	}

	/** Whole content, checked against the server's checksum; null when absent. */
	async get(path: string, options?: RequestOptions): Promise<Stored | null> {
		const at = this.at(path);
		const get = async (abortSignal: AbortSignal | undefined): Promise<Stored> => {
			const command = new GetObjectCommand({ ...at, ChecksumMode: "ENABLED" });
			const { Body, ETag = "" } = await this.requests.client.send(command, abortSignal ? { abortSignal } : {});
			return { content: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: ETag };
		};
		return this.requests.send(path, get, options).catch(nullIfAbsent);
	}

	/** Null when absent. */
	async head(path: string, options?: RequestOptions): Promise<LakeFile | null> {
		const at = this.at(path);
		const head = async (abortSignal: AbortSignal | undefined): Promise<LakeFile> => {
			const answer = await this.requests.client.send(new HeadObjectCommand(at), abortSignal ? { abortSignal } : {});
			return { path, bytes: answer.ContentLength ?? 0, modified: answer.LastModified?.getTime() ?? 0 };
		};
		return this.requests.send(path, head, options).catch(nullIfAbsent);
	}

	/** Size in bytes, or null when absent. */
	async size(path: string, options?: RequestOptions): Promise<number | null> {
		return (await this.head(path, options))?.bytes ?? null;
	}

	/** Deletes up to 1000 keys in one request; returns those that the server refused to delete, with its error codes. */
	async delete(paths: string[]): Promise<{ path: string; code: string }[]> {
		const [{ Bucket } = { Bucket: "" }] = paths.map((path) => this.at(path));
		const Delete = { Objects: paths.map((path) => ({ Key: this.at(path).Key })), Quiet: true };
		const command = new DeleteObjectsCommand({ Bucket, Delete, ChecksumAlgorithm: "SHA256" });
		const answer = await this.requests.send(paths[0] ?? "", (abortSignal) =>
			this.requests.client.send(command, abortSignal ? { abortSignal } : {}),
		);
		return (answer.Errors ?? []).map(({ Key = "", Code = "" }) => ({ path: this.pathOf(Key), code: Code }));
	}

	/** Stores content with its SHA-256 in base64, against which the server checks it. */
	async put(path: string, content: Buffer, checksum: string, options: PutOptions = {}): Promise<void> {
		const target = { ...this.at(path), ...this.encryption, ...options.condition };
		const input = { ...target, Body: content, ChecksumSHA256: checksum };
		await this.requests.send(
			path,
			(abortSignal) => this.requests.client.send(new PutObjectCommand(input), abortSignal ? { abortSignal } : {}),
			options,
		);
	}

	/** All keys below the folder, in pages of `limit`. Markers of empty folders are left out. */
	async *list(folder: string, limit = 1000): AsyncIterable<LakeFile[]> {
		const below = this.below(folder);
		let token: string | undefined;
		do {
			const input = { ...below, MaxKeys: limit, ...(token === undefined ? {} : { ContinuationToken: token }) };
			const page = await this.requests.send(folder, (abortSignal) =>
				this.requests.client.send(new ListObjectsV2Command(input), abortSignal ? { abortSignal } : {}),
			);
			const files = (page.Contents ?? []).filter(({ Key }) => Key !== undefined && !Key.endsWith("/"));
			yield files.map(({ Key = "", Size = 0, LastModified }) => {
				return { path: this.pathOf(Key), bytes: Size, modified: LastModified?.getTime() ?? 0 };
			});
			token = page.IsTruncated ? page.NextContinuationToken : undefined;
		} while (token !== undefined);
	}
}

function nullIfAbsent(error: unknown): null {
	if (isAbsent(error)) return null;
	throw error;
}
