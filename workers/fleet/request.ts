import { pathToFileURL } from "node:url";
import type { Dataset } from "../../pipelines/dataset.js";
import type { MirrorRequest } from "../../pipelines/mirror/plan/plan-mirror.js";
import type { Listing, SourcePin } from "../../pipelines/ports/source.js";
import { type RunJob, RunRequest } from "../../schemas/jobs.js";
import { parseLake, parseSource } from "../addresses.js";
import type { MirrorOptions } from "../command-line/options.js";
import { mirrorRequest } from "../run/mirror-steps.js";
import { codecVersion, sourceUri } from "../wire.js";

/** A mirror's options, as they go through the queue and come out of it. */

/**
 * What the flags ask for, with every path absolute. Throws USAGE.
 * @param datasets those that this program knows
 */
export function runRequest(options: MirrorOptions, dataset: Dataset, datasets: readonly Dataset[]): RunRequest {
	const { wanted, settings } = mirrorRequest(options, dataset);
	const source = parseSource(sourceUri(options, dataset));
	return RunRequest.parse({
		source: source.kind === "folder" ? pathToFileURL(source.folder).href : `hf://${source.repo}@${source.revision}`,
		lake: lakeAddress(options.lake),
		...(dataset.name === datasets[0]?.name ? {} : { dataset: dataset.name }),
		wanted,
		settings,
		new_settings: options.new_settings,
		prune: options.prune,
		single_writer: options.single_writer,
		...(options.s3_sse === undefined ? {} : { s3_sse: options.s3_sse }),
		...(options.s3_sse_kms_key_id === undefined ? {} : { s3_sse_kms_key_id: options.s3_sse_kms_key_id }),
		rehash: options.rehash,
		on_shard_failure: options.on_shard_failure,
		max_reject_ratio: options.max_reject_ratio,
		keep_rejected: options.keep_rejected,
	});
}

/** The same for every way to write it. */
function lakeAddress(text: string): string {
	const address = parseLake(text);
	if (address.kind === "folder") return address.folder;
	return `s3://${address.bucket}${address.prefix === "" ? "" : `/${address.prefix}`}`;
}

export function toMirrorRequest(request: RunRequest): MirrorRequest {
	const { wanted, settings, new_settings, prune, keep_rejected } = request;
	return { wanted, settings, newSettings: new_settings, prune, keepRejected: keep_rejected, codec: codecVersion };
}

/** The commit that a listing was made at; null of a folder. */
export function pinOf({ uri, commit, committedAt }: Listing): RunJob["pin"] {
	const address = parseSource(uri);
	if (address.kind === "folder" || commit === null) return null;
	return { repo: address.repo, commit, committed_at: committedAt };
}

export function toSourcePin(pin: RunJob["pin"]): SourcePin | null {
	return pin && { repo: pin.repo, commit: pin.commit, committedAt: pin.committed_at };
}
