import { randomUUID } from "node:crypto";
import { DeleteObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import type { TryRoom } from "../../../pipelines/ports.js";
import { checksumOf } from "./s3/bucket.js";
import { openBucket, openS3Store, type S3StoreOptions } from "./s3-store.js";

/**
 * Room for trying out writes on a lake's store: below `.irlake/`, under a name that nobody else has. Deleting is tried by
 * removing it; whoever may not delete is told so then.
 */
export async function openS3Room(options: S3StoreOptions): Promise<TryRoom> {
	const folder = `.irlake/doctor-${randomUUID()}`;
	const prefix = options.prefix === "" ? folder : `${options.prefix}/${folder}`;
	// The race itself shows whether conditions hold: a store that refuses to write without them could not be raced.
	const inside: S3StoreOptions = { ...options, prefix, singleWriter: true, note: () => {} };
	const bucket = await openBucket(inside);
	const { calls } = bucket;

	async function now(): Promise<Date | null> {
		return calls.guard("now", async () => {
			const content = Buffer.from("now");
			await bucket.put("now", content, checksumOf(content));
			const about = await calls.call("now", () => calls.client.send(new HeadObjectCommand(bucket.at("now"))));
			return about.LastModified ?? null;
		});
	}

	async function remove(): Promise<void> {
		await calls.guard("", async () => {
			for await (const page of bucket.list("")) {
				for (const { path } of page) {
					const command = new DeleteObjectCommand(bucket.at(path));
					await calls.call(path, () => calls.client.send(command), { finish: true });
				}
			}
		});
	}

	return { folder: null, open: () => openS3Store(inside), now, remove };
}
