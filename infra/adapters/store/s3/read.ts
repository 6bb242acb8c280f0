import { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { LakeError } from "../../../../schemas/errors.js";
import type { Bucket } from "./bucket.js";
import { isAbsent, isRefusedCondition, isTransient } from "./errors.js";

/** Long reads: streams that go on at the byte where an answer broke off. */

/** One answer, with its first chunk, so that an answer without any is tried again like one that never came. */
interface Answer {
	first: IteratorResult<Buffer>;
	rest: AsyncIterator<Buffer>;
	bytes: number;
	etag: string | undefined;
}

/** The object's bytes. Throws LAKE_DAMAGED where it is absent, or another after a break. */
export async function readObject(bucket: Bucket, path: string): Promise<Readable> {
	const { calls } = bucket;
	const answer = await calls.guard(path, () => ask(bucket, path, 0, undefined));
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
				if (calls.signal.aborted) throw calls.signal.reason;
				if (!isTransient(error)) throw error;
			}
			if (offset >= bytes) return;
			at = await calls.guard(path, () => ask(bucket, path, offset, etag));
		}
	}
	return Readable.from(all(), { objectMode: false });
}

async function ask(bucket: Bucket, path: string, offset: number, etag: string | undefined): Promise<Answer> {
	const { calls } = bucket;
	const from = offset === 0 ? {} : { Range: `bytes=${offset}-`, ...(etag === undefined ? {} : { IfMatch: etag }) };
	const command = new GetObjectCommand({ ...bucket.at(path), ...from });
	try {
		return await calls.call(path, async (abortSignal) => {
			const { Body, ContentLength = 0, ETag } = await calls.client.send(command, abortSignal ? { abortSignal } : {});
			const rest = (Body as Readable)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
			return { first: await rest.next(), rest, bytes: ContentLength, etag: ETag };
		});
	} catch (error) {
		if (isAbsent(error)) throw new LakeError("LAKE_DAMAGED", `The lake has no file ${path}.`, { path });
		if (!isRefusedCondition(error)) throw error;
		throw new LakeError("LAKE_DAMAGED", `The file ${path} was replaced while it was read.`, { path });
	}
}
