import { basename, join } from "node:path";
import { openS3Store, type S3StoreOptions } from "../../infra/adapters/store/s3/store.js";
import { systemClock } from "../../workers/clock.js";
import type { LakeStore } from "../../workers/wire.js";
import type { S3Server } from "./s3.js";

/** A lake of its own for each scratch folder, in the server's bucket. */
export async function openTestStore(
	server: S3Server,
	scratch: string,
	options: Partial<S3StoreOptions> = {},
	env: NodeJS.ProcessEnv = server.env(),
): Promise<LakeStore> {
	// The SDK reads the process's own variables.
	Object.assign(process.env, env);
	return openS3Store({
		bucket: server.bucket,
		prefix: `conformance/${basename(scratch)}`,
		scratch: join(scratch, "scratch"),
		encryption: {},
		singleWriter: false,
		env: process.env,
		clock: systemClock,
		retry: { retries: 7, wait: 0.05 },
		signal: new AbortController().signal,
		note: () => {},
		...options,
	});
}
