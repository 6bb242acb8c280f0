import type { S3Client } from "@aws-sdk/client-s3";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { privateFile } from "../../../../pipelines/lake/paths.js";
import type { TryRoom } from "../../../../pipelines/ports/store.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { Bucket } from "./bucket.js";
import { openClient } from "./client.js";
import { Calls } from "./requests.js";
import { openS3Store, type S3StoreOptions } from "./store.js";

/**
 * Room for trying out writes below the lake's own `.irlake/`. Its stores go on where conditions do not hold, so that a
 * race shows what comes of it. `remove` goes on after an interruption, and leaves behind what may not be deleted.
 */
export async function openS3Room(options: S3StoreOptions): Promise<TryRoom> {
	const prefix = [options.prefix, privateFile.doctorFolder(ownerId())].filter((part) => part !== "").join("/");
	const { client, endpoint } = await openClient(options.env);
	const place = { store: `s3://${options.bucket}/${prefix}`, bucket: options.bucket, endpoint };
	const calls = new Calls(client, place, { ...options, signal: new AbortController().signal });
	const bucket = new Bucket(calls, options.bucket, prefix, options.encryption);
	const lastDate = watchDates(client);
	return {
		folder: null,
		open: () => openS3Store({ ...options, prefix, singleWriter: true }),
		now: () =>
			calls.guard("", async () => {
				for await (const _ of bucket.list("", 1)) break;
				return lastDate();
			}),
		remove: async () => {
			const removing = emptied(bucket);
			await removing.catch(() => {});
			client.destroy();
		},
	};
}

/** The `Date` of the newest answer that the client had, or null. */
function watchDates(client: S3Client): () => Date | null {
	let date: string | undefined;
	client.middlewareStack.add(
		(next) => async (args) => {
			const result = await next(args);
			date = (result.response as { headers?: Record<string, string> }).headers?.date;
			return result;
		},
		// Nearest to the wire: before an answer is taken for an error.
		{ step: "deserialize", priority: "low", name: "irlakeDates" },
	);
	return () => (date === undefined ? null : new Date(date));
}

async function emptied(bucket: Bucket): Promise<void> {
	const { calls } = bucket;
	for await (const page of bucket.list("")) {
		for (const { path } of page) {
			await calls.call(path, () => calls.client.send(new DeleteObjectCommand(bucket.at(path))), { finish: true });
		}
	}
}
