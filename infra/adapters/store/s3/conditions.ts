import { randomUUID } from "node:crypto";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { privateFile } from "../../../../pipelines/lake/paths.js";
import { type Bucket, checksumOf } from "./bucket.js";
import { isRefusedCondition, isUnknownCondition } from "./errors.js";

/** The ETag of no object. */
const WRONG_ETAG = '"00000000000000000000000000000000"';

/**
 * Tries out whether the server honours conditional writes: of two puts racing for one new key exactly one must succeed,
 * and a swap against a wrong ETag must be refused. The key is removed again. A server that fails such races only now
 * and then passes; docs/s3.md lists those known.
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
		await bucket.put(path, content, checksumOf(content), { condition });
		return "stored";
	} catch (error) {
		if (isRefusedCondition(error)) return "refused";
		if (isUnknownCondition(error)) return "unknown";
		throw error;
	}
}

/** Without the right to delete, the few bytes stay below the lake's private folder. */
async function remove(bucket: Bucket, path: string): Promise<void> {
	const { requests } = bucket;
	const command = new DeleteObjectCommand(bucket.at(path));
	await requests.send(path, () => requests.client.send(command), { finish: true }).catch(() => {});
}
