import type { S3Client } from "@aws-sdk/client-s3";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { privateFile } from "../../../../pipelines/lake/paths.js";
import type { StoreProbe } from "../../../../pipelines/ports/store.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { Bucket } from "./bucket.js";
import { openClient } from "./client.js";
import { Requests } from "./requests.js";
import { openS3Store, type S3StoreOptions } from "./store.js";

/**
 * A probe below the lake's own `.irlake/`. Its stores write even where conditions do not hold, so that a race shows its
 * outcome. `remove` works after an interruption, and leaves what it may not delete.
 */
export async function openS3Probe(options: S3StoreOptions): Promise<StoreProbe> {
	const prefix = [options.prefix, privateFile.doctorFolder(ownerId())].filter((part) => part !== "").join("/");
	const { client, endpoint } = await openClient(options.env);
	const place = { store: `s3://${options.bucket}/${prefix}`, bucket: options.bucket, endpoint };
	const requests = new Requests(client, place, { ...options, signal: new AbortController().signal });
	const bucket = new Bucket(requests, options.bucket, prefix, options.encryption);
	const lastDate = watchDates(client);
	return {
		folder: null,
		open: () => openS3Store({ ...options, prefix, singleWriter: true }),
		now: () =>
			requests.guard("", async () => {
				for await (const _ of bucket.list("", 1)) break;
				return lastDate();
			}),
		remove: async () => {
			const removing = deleteAll(bucket);
			await removing.catch(() => {});
			client.destroy();
		},
	};
}

/** Returns the `Date` of the client's newest response, or null. */
function watchDates(client: S3Client): () => Date | null {
	let date: string | undefined;
	client.middlewareStack.add(
		(next) => async (args) => {
			const result = await next(args);
			date = (result.response as { headers?: Record<string, string> }).headers?.date;
			return result;
		},
		// Nearest to the wire: before an error response becomes an exception.
		{ step: "deserialize", priority: "low", name: "irlakeDates" },
	);
	return () => (date === undefined ? null : new Date(date));
}

async function deleteAll(bucket: Bucket): Promise<void> {
	const { requests } = bucket;
	for await (const page of bucket.list("")) {
		for (const { path } of page) {
			await requests.send(path, () => requests.client.send(new DeleteObjectCommand(bucket.at(path))), { finish: true });
		}
	}
}
