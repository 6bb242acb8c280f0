import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { LakeError } from "../../../schemas/errors.js";
import type { Settings } from "../../../schemas/settings.js";
import { type Dataset, predicateColumns } from "../../dataset.js";
import { download } from "../../fetch/download.js";
import type { Clock } from "../../ports/run.js";
import type { Listing, Source, SourceFile } from "../../ports/source.js";
import type { MetadataColumn, Predicate, TableFiles } from "../../ports/tables.js";
import type { RetryPolicy } from "../../retry.js";
import { hashFile } from "../../scratch/hash-file.js";
import { readSplitMetadata, type SplitMetadata } from "./metadata.js";
import { Selecting } from "./selection.js";

/** What the source's metadata is read with. */
export interface MetadataTools {
	dataset: Dataset;
	source: Source;
	tables: TableFiles;
	clock: Clock;
	scratch: string;
	/** Of downloads; default RETRY_POLICY. */
	retry?: RetryPolicy;
	/** A download of metadata failed; the next attempt comes after so many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Told how many bytes of metadata came over the network. */
	onFetched(bytes: number): void;
	/** Reads a predicate. Throws USAGE for one that is refused. */
	openPredicate(where: string, columns: readonly MetadataColumn[]): Promise<Predicate>;
}

/** Which metadata is wanted. */
interface WantedMetadata {
	listing: Listing;
	settings: Settings;
	splits: string[];
	/** Those of the splits that were asked for. */
	asked: string[];
}

/** The metadata of each split, and what the predicate chooses of it. One that was not asked for and cannot be had is left out. */
export async function readMetadata(
	{ listing, settings, splits, asked }: WantedMetadata,
	tools: MetadataTools,
	signal: AbortSignal,
): Promise<Map<string, SplitMetadata>> {
	const { where, where_mode } = settings;
	const predicate = where === null ? null : await tools.openPredicate(where, predicateColumns(tools.dataset));
	const found = new Map<string, SplitMetadata>();
	try {
		for (const split of splits) {
			const file = listing.metadata.get(split);
			if (!file) continue;
			try {
				const described = { split, path: file.path, ...(await fetchMetadata(file, tools, signal)) };
				const selecting = predicate && new Selecting(predicate, where_mode, tools.dataset.group);
				found.set(split, await readSplitMetadata(tools.tables, tools.dataset, described, selecting));
			} catch (error) {
				if (asked.includes(split) || signal.aborted) throw error;
			}
		}
	} finally {
		await predicate?.close();
	}
	return found;
}

/** The metadata file on this machine: in place, or kept in scratch under its hash. */
async function fetchMetadata(
	file: SourceFile,
	tools: MetadataTools,
	signal: AbortSignal,
): Promise<{ file: string; sha256: string; bytes: number }> {
	const { source, scratch, clock } = tools;
	const local = source.localPath(file);
	if (local !== null) {
		return { file: local, sha256: file.sha256 ?? (await hashFile(local, { signal })), bytes: file.bytes };
	}
	const folder = join(scratch, "metadata");
	if (file.sha256 !== null) {
		const kept = join(folder, `${file.sha256}.parquet`);
		const found = await hashFile(kept, { signal }).catch(() => null);
		if (found === file.sha256) return { file: kept, sha256: found, bytes: file.bytes };
	}
	const { retry, onRetry } = tools;
	const part = await download(source, file, {
		scratch,
		clock,
		signal,
		retry,
		mismatch: "METADATA_MISSING",
		onBytes: () => {},
		...(onRetry ? { onRetry } : {}),
	});
	tools.onFetched(part.fetched);
	await mkdir(folder, { recursive: true });
	const kept = join(folder, `${part.sha256}.parquet`);
	await rename(part.path, kept);
	return { file: kept, sha256: part.sha256, bytes: part.bytes };
}
