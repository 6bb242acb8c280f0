import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { S3Server } from "../../support/s3.js";
import { startHub } from "../hub/client.js";
import { type MirrorRequest, runMirror } from "./mirror-run.js";
import { CACHE, cachedSourceOfSize, writeResult, zipPath } from "./samples.js";

/**
 * Memory of a mirror, as the greatest summed PSS of the process and its children, with a shard of 650 MB and
 * with one twice as large. Ends with 1 when the first is 700 MB or more, or the second over 100 MB above it.
 *
 *   node dist/test/tools/bench/memory.js [s3]      `s3`: into a lake on a server of this machine, whose own memory is left out
 */

const SIZES = [650e6, 1300e6];
const MOST_MB = 700;
const MOST_GROWTH_MB = 100;
/** A tenth of a second: row groups and batches of images live longer than that. */
const SAMPLE_EVERY_MS = 100;

async function peakOf(
	bytes: number,
	remote: MirrorRequest["remote"],
): Promise<{ zip_mb: number; images: number; peak_pss_mb: number; samples: number }> {
	const source = await cachedSourceOfSize(bytes, 1);
	const folder = join(CACHE, "memory-run");
	const hub = await startHub(source);
	try {
		const { images, memory } = await runMirror({
			endpoint: hub.endpoint,
			shards: "train_1",
			folder,
			concurrency: 2,
			sampleEveryMs: SAMPLE_EVERY_MS,
			...(remote ? { remote } : {}),
		});
		return {
			zip_mb: statSync(zipPath(source, "train_1")).size / 1e6,
			images,
			peak_pss_mb: memory.peakBytes / 1e6,
			samples: memory.samples,
		};
	} finally {
		await hub.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}

const server = process.argv[2] === "s3" ? await S3Server.start() : null;
const peaks = [];
for (const bytes of SIZES) {
	const remote = server ? { lake: `s3://${server.bucket}/${bytes}`, env: server.env() } : undefined;
	peaks.push(await peakOf(bytes, remote));
}
await server?.stop();
const [single, double] = peaks.map(({ peak_pss_mb }) => peak_pss_mb);
const growth = (double ?? Number.NaN) - (single ?? Number.NaN);
const ok = (single ?? Number.NaN) < MOST_MB && growth <= MOST_GROWTH_MB;
const result = { peaks, growth_mb: growth, most_mb: MOST_MB, most_growth_mb: MOST_GROWTH_MB, ok };
writeResult(server ? "memory-s3.json" : "memory.json", result);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = ok ? 0 : 1;
