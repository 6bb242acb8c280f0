import { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { LakeError } from "../../../../schemas/errors.js";
import type { Bucket } from "./bucket.js";
import { isAbsent, isRefusedCondition, isTransient } from "./errors.js";

/** Long reads: streams that resume at the byte where a response broke off. */

/** A response and its first chunk, so that one without any is retried like one that never came. */
interface Answer {
	first: IteratorResult<Buffer>;
	rest: AsyncIterator<Buffer>;
	bytes: number;
	etag: string | undefined;
}

/** The object's bytes. Throws LAKE_DAMAGED where it is absent, or was replaced before the stream resumed. */
export async function readObject(bucket: Bucket, path: string): Promise<Readable> {
	const { requests } = bucket;
	const answer = await requests.guard(path, () => ask(bucket, path, 0, undefined));
	async function* all(): AsyncIterable<Buffer> {
		const { bytes, etag } = answer;
		let at = answer;
		let offset = 0;
		for (;;) {
			try {
				for (let next = at.first; !next.done; next = await at.rest.next()) {
					offset += next.value.length;
					yield next.value;
				}
			} catch (error) {
				if (requests.signal.aborted) throw requests.signal.reason;
				if (!isTransient(error)) throw error;
			}
			if (offset >= bytes) return;
			at = await requests.guard(path, () => ask(bucket, path, offset, etag));
		}
	}
	return Readable.from(all(), { objectMode: false });
}

async function ask(bucket: Bucket, path: string, offset: number, etag: string | undefined): Promise<Answer> {
	const { requests } = bucket;
	const from = offset === 0 ? {} : { Range: `bytes=${offset}-`, ...(etag === undefined ? {} : { IfMatch: etag }) };
	const command = new GetObjectCommand({ ...bucket.at(path), ...from });
	try {
		return await requests.send(path, async (abortSignal) => {
			const { Body, ContentLength = 0, ETag } = await requests.client.send(command, abortSignal ? { abortSignal } : {});
			const rest = (Body as Readable)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
			return { first: await rest.next(), rest, bytes: ContentLength, etag: ETag };
		});
	} catch (error) {
		if (isAbsent(error)) throw new LakeError("LAKE_DAMAGED", `The lake has no file ${path}.`, { path });
		if (!isRefusedCondition(error)) throw error;
		throw new LakeError("LAKE_DAMAGED", `The file ${path} was replaced while it was read.`, { path });
	}
}
