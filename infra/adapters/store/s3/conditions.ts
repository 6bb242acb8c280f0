import { randomUUID } from "node:crypto";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { privateFile } from "../../../../pipelines/lake/paths.js";
import { type Bucket, checksumOf } from "./bucket.js";
import { isRefusedCondition, isUnknownCondition } from "./errors.js";

/** No object's ETag. */
const WRONG_ETAG = '"00000000000000000000000000000000"';

/**
 * Whether the server keeps to conditional writes, tried out: of two puts racing for one new key exactly one may succeed,
 * and a swap against a wrong ETag must be refused. The key is removed again. A server that fails only now and then in
 * a race passes; see docs/s3.md for those known.
 */
export async function conditionsWork(bucket: Bucket): Promise<boolean> {
	const path = privateFile.probe(randomUUID());
	try {
		const race = await Promise.all(["one", "two"].map((text) => tryPut(bucket, path, text, { IfNoneMatch: "*" })));
		const won = race.filter((outcome) => outcome === "stored").length;
		const lost = race.filter((outcome) => outcome === "refused").length;
		if (won + lost < race.length || won > 1) return false;
		if (won === 0 && (await bucket.size(path)) === null) return false;
		return (await tryPut(bucket, path, "swap", { IfMatch: WRONG_ETAG })) === "refused";
	} finally {
		await remove(bucket, path);
	}
}

async function tryPut(
	bucket: Bucket,
	path: string,
	text: string,
	condition: { IfNoneMatch: string } | { IfMatch: string },
): Promise<"stored" | "refused" | "unknown"> {
	const content = Buffer.from(text);
	try {
		await bucket.put(path, content, checksumOf(content), condition);
		return "stored";
	} catch (error) {
		if (isRefusedCondition(error)) return "refused";
		if (isUnknownCondition(error)) return "unknown";
		throw error;
	}
}

/** Whoever may not delete leaves a few bytes of the writers' own behind. */
async function remove(bucket: Bucket, path: string): Promise<void> {
	const { calls } = bucket;
	const command = new DeleteObjectCommand(bucket.at(path));
	await calls.call(path, () => calls.client.send(command), { finish: true }).catch(() => {});
}
