import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { extractMember } from "../infra/adapters/archive/extract.js";
import { openLoose } from "../infra/adapters/archive/loose.js";
import { readJsonMember } from "../infra/adapters/archive/member.js";
import { openZip } from "../infra/adapters/archive/zip.js";
import { arrivedImages } from "../infra/adapters/archive/zip-arrived.js";
import { recordsStart } from "../infra/adapters/archive/zip-end.js";
import type { RedisConnection, RedisOptions } from "../infra/adapters/redis.js";
import type { FoundToken } from "../infra/adapters/sources/hub/token.js";
import type { S3StoreOptions } from "../infra/adapters/store/s3/store.js";
import type { Dataset } from "../pipelines/dataset.js";
import { readLatestSnapshot } from "../pipelines/lake/snapshot.js";
import type { ArchiveReader } from "../pipelines/ports/archive.js";
import type { ExportFiles, ExportTarget } from "../pipelines/ports/exports.js";
import type { ImagePool } from "../pipelines/ports/images.js";
import type { Clock, Progress } from "../pipelines/ports/run.js";
import type { HubReply, Source, SourcePin } from "../pipelines/ports/source.js";
import type { LakePlace, Store, StoreProbe } from "../pipelines/ports/store.js";
import type { MetadataColumn, Predicate, TableFiles } from "../pipelines/ports/tables.js";
import { RETRY_POLICY, type RetryPolicy } from "../pipelines/retry.js";
import { LakeError } from "../schemas/errors.js";
import { type LakeAddress, parseLake, parseSource } from "./addresses.js";
import { systemClock } from "./clock.js";
import { type LakeOptions, NETWORK, type NetworkOptions } from "./command-line/options.js";
import { scratchFolder } from "./options.js";

/** How a Hub is reached, by options that not every command has. */
type HubOptions = Partial<Omit<NetworkOptions, "bandwidth">>;

/** What a source is opened with. */
export type SourceOptions = Partial<NetworkOptions> & { source: string; rehash?: boolean };

/** The queue's server, and what stands before each of its keys. */
export interface QueueConnection extends RedisConnection {
	prefix: string;
}

/** Where the lake is, and where its image threads stage objects. */
export type LakeStore = Store & LakePlace;

interface HubTools {
	clock: Clock;
	note: Progress["note"];
}

/** What a source is opened with. */
interface SourceTools extends HubTools {
	/** Where hashes of a folder's files are remembered. */
	scratch: string;
	env: NodeJS.ProcessEnv;
	dryRun?: boolean;
	/** Those that this program knows: a folder that holds another one is told apart. */
	datasets?: readonly Dataset[];
	/** Of the Hub: the commit to read at, as an earlier listing resolved it. */
	pin?: SourcePin | null;
}

/** Chooses the adapters and the dataset. Each adapter is imported when it is first wanted: `--help` needs none of them. */

/**
 * The dataset that the lake holds, else the one asked for, else that of the source's repository, else the first.
 * @throws USAGE where the lake holds another one than was asked for, LAKE_UNSUPPORTED where it holds an unknown one
 */
export async function chooseDataset(
	datasets: readonly Dataset[],
	{ source, dataset }: { source?: string | undefined; dataset?: string | undefined },
	store: LakeStore,
): Promise<Dataset> {
	const [first] = datasets;
	if (!first) throw new LakeError("INTERNAL", "This program knows no dataset.");
	if (datasets.length === 1) return first;
	const address = source === undefined ? null : parseSource(source);
	const isOf = ({ repo, formerRepos }: Dataset): boolean => {
		return address?.kind === "hub" && [repo, ...formerRepos].includes(address.repo);
	};
	const asked = datasets.find(({ name }) => name === dataset);
	const held = await datasetHeld(store);
	if (held === null) return asked ?? datasets.find(isOf) ?? first;
	const found = datasets.find(({ name }) => name === held);
	if (!found) throw new LakeError("LAKE_UNSUPPORTED", `${store.name} holds ${held}, which this release does not know.`);
	if (!asked || asked === found) return found;
	throw new LakeError("USAGE", `${store.name} holds ${held}: --dataset cannot be ${asked.name}.`, {
		path: "--dataset",
		hint: "Leave --dataset out, or give --lake another folder: a lake holds one dataset.",
	});
}

/** Null where nothing is published, or where it cannot be read: then whoever needs the snapshot says so. */
async function datasetHeld(store: LakeStore): Promise<string | null> {
	try {
		return (await readLatestSnapshot(store))?.snapshot.dataset ?? null;
	} catch (error) {
		if (error instanceof LakeError) return null;
		throw error;
	}
}

/** `--source`, else where the dataset is on the Hub. */
export function sourceUri({ source }: { source?: string | undefined }, { repo }: Dataset): string {
	return source ?? `hf://${repo}@main`;
}

export async function openSource(
	options: SourceOptions,
	dataset: Dataset,
	{ dryRun = false, pin = null, scratch, env, datasets = [], ...tools }: SourceTools,
): Promise<Source> {
	const address = parseSource(options.source);
	if (address.kind === "folder") {
		const { createFolderSource } = await import("../infra/adapters/sources/folder.js");
		const cacheFile = join(scratch, "hashes.json");
		const { rehash = false } = options;
		const { folder } = address;
		return createFolderSource({ folder, dataset, datasets, cacheFile, rehash, dryRun, note: tools.note });
	}
	const { createHubSource } = await import("../infra/adapters/sources/hub/source.js");
	const http = await hubHttp(options, env);
	return createHubSource({ ...address, dataset, pin, ...http, ...tools, bandwidth: options.bandwidth });
}

async function hubHttp(options: HubOptions, env: NodeJS.ProcessEnv) {
	const [{ hubToken }, { readProxies }] = await Promise.all([
		import("../infra/adapters/sources/hub/token.js"),
		import("../infra/adapters/sources/proxy.js"),
	]);
	return {
		endpoint: hubEndpoint(env),
		token: hubToken(env),
		proxies: readProxies(env),
		allowPrivate: options.allow_private_redirects ?? false,
		idleSeconds: options.idle_timeout ?? NETWORK.idle_timeout.default,
		retry: retryPolicy(options),
	};
}

export function retryPolicy({ retries, retry_wait }: HubOptions): RetryPolicy {
	return { retries: retries ?? RETRY_POLICY.retries, wait: retry_wait ?? RETRY_POLICY.wait };
}

/** Where the Hub's token comes from; null where the source is no Hub. Throws USAGE. */
export async function findToken(source: string, env: NodeJS.ProcessEnv): Promise<FoundToken | null> {
	if (parseSource(source).kind === "folder") return null;
	hubEndpoint(env);
	const { findHubToken } = await import("../infra/adapters/sources/hub/token.js");
	return findHubToken(env);
}

/** One question to the Hub of the source. */
export async function askHub(
	options: HubOptions & { source: string },
	tools: HubTools,
	env: NodeJS.ProcessEnv,
	signal: AbortSignal,
): Promise<HubReply> {
	const address = parseSource(options.source);
	if (address.kind === "folder") throw new LakeError("INTERNAL", "A folder was asked as a Hub.");
	const { askHub: ask } = await import("../infra/adapters/sources/hub/access.js");
	return ask({ ...address, ...(await hubHttp(options, env)), ...tools }, signal);
}

/** `HF_ENDPOINT`, else the Hub itself. Throws USAGE for what is no http(s) address. */
function hubEndpoint(env: NodeJS.ProcessEnv): string {
	const text = env.HF_ENDPOINT || "https://huggingface.co";
	const url = URL.canParse(text) ? new URL(text) : null;
	if (url && (url.protocol === "https:" || url.protocol === "http:") && !url.username) return text.replace(/\/+$/, "");
	throw new LakeError("USAGE", "HF_ENDPOINT is not an http or https address.", {
		hint: "Unset it, or give https://host.",
	});
}

/** What a store on the network needs beside the options. */
export interface StoreTools {
	/** Ends uploads, listings and long reads. */
	signal: AbortSignal;
	note: Progress["note"];
	env: NodeJS.ProcessEnv;
	/** Waits between two tries of a request. */
	clock: Clock;
}

/** What a lake is opened with. */
export type StoreOptions = Pick<LakeOptions, "lake"> &
	Partial<LakeOptions & Pick<NetworkOptions, "retries" | "retry_wait">>;

/** Writes nothing, and of a folder asks nothing either. */
export async function openStore(options: StoreOptions, tools: Partial<StoreTools> = {}): Promise<LakeStore> {
	const address = parseLake(options.lake);
	if (address.kind === "folder") {
		const { openFolderStore } = await import("../infra/adapters/store/folder/store.js");
		return openFolderStore(address.folder);
	}
	const { openS3Store } = await import("../infra/adapters/store/s3/store.js");
	return openS3Store(s3Options(address, options, tools));
}

/** A probe where the lake is, or would be. */
export async function openStoreProbe(options: StoreOptions, tools: Partial<StoreTools>): Promise<StoreProbe> {
	const address = parseLake(options.lake);
	if (address.kind === "folder") {
		const { openFolderProbe } = await import("../infra/adapters/store/folder/probe.js");
		return openFolderProbe(address.folder);
	}
	const { openS3Probe } = await import("../infra/adapters/store/s3/probe.js");
	return openS3Probe(s3Options(address, options, tools));
}

/** Throws USAGE. */
function s3Options(
	address: Extract<LakeAddress, { kind: "s3" }>,
	options: StoreOptions,
	tools: Partial<StoreTools>,
): S3StoreOptions {
	const { signal = new AbortController().signal, note = () => {}, env = process.env, clock = systemClock } = tools;
	return {
		...address,
		encryption: s3Encryption(options),
		scratch: resolve(scratchFolder({ scratch: options.scratch }, env)),
		singleWriter: options.single_writer ?? false,
		env,
		clock,
		retry: retryPolicy(options),
		signal,
		note,
	};
}

/** Throws USAGE for a key that the asked encryption has no use for. */
function s3Encryption({ s3_sse, s3_sse_kms_key_id }: StoreOptions): {
	ServerSideEncryption?: NonNullable<LakeOptions["s3_sse"]>;
	SSEKMSKeyId?: string;
} {
	if (s3_sse_kms_key_id === undefined) return s3_sse === undefined ? {} : { ServerSideEncryption: s3_sse };
	if (s3_sse === "AES256") throw new LakeError("USAGE", "--s3-sse-kms-key-id cannot stand beside --s3-sse AES256.");
	return { ServerSideEncryption: s3_sse ?? "aws:kms", SSEKMSKeyId: s3_sse_kms_key_id };
}

export async function openTables(scratch: string): Promise<TableFiles> {
	const { openTableFiles } = await import("../infra/adapters/duckdb/table-files.js");
	return openTableFiles({ spill: join(scratch, "spill") });
}

/** Throws USAGE for a predicate that is refused. */
export async function openPredicate(where: string, columns: readonly MetadataColumn[]): Promise<Predicate> {
	const { openPredicate: open } = await import("../infra/adapters/duckdb/predicate.js");
	return open(where, columns);
}

export async function openExportFiles(scratch: string): Promise<ExportFiles> {
	const { openExportFiles: open } = await import("../infra/adapters/duckdb/export-files.js");
	return open(join(scratch, "spill"));
}

/** Where `--out` leads: a folder, or a prefix of a bucket. Throws USAGE, LAKE_UNSUPPORTED. */
export async function openTarget(
	options: StoreOptions,
	out: string,
	tools: Partial<StoreTools>,
): Promise<ExportTarget> {
	const address = parseLake(out);
	if (address.kind === "folder") {
		const { openFolderTarget } = await import("../infra/adapters/export/folder-target.js");
		return openFolderTarget(address.folder);
	}
	const { openStoreTarget } = await import("../infra/adapters/export/store-target.js");
	const scratch = resolve(scratchFolder({ scratch: options.scratch }, tools.env ?? process.env));
	return openStoreTarget(await openStore({ ...options, lake: out }, tools), join(scratch, "exports"));
}

/**
 * Image threads on all cores.
 * @param to where good images are staged: for this store, or in a folder of scratch; null when nothing is kept
 */
export async function openImages(
	to: Pick<LakePlace, "stage" | "beginStaging"> | string | null,
	note: Progress["note"],
): Promise<ImagePool> {
	const { createImagePool } = await import("../infra/adapters/images/pool/pool.js");
	const stage = typeof to === "string" ? ({ kind: "scratch", folder: to } as const) : (to?.stage ?? null);
	const beginStaging = typeof to === "string" ? undefined : () => to?.beginStaging();
	return createImagePool({ threads: availableParallelism(), stage, note, ...(beginStaging ? { beginStaging } : {}) });
}

/** Name and version of what re-encodes; asked for only where images are not kept as they are. */
export async function codecVersion(): Promise<string> {
	const { CODEC_VERSION } = await import("../infra/adapters/images/sharp.js");
	return CODEC_VERSION;
}

/** DuckDB's version; loads it. */
export async function duckdbVersion(): Promise<string> {
	const { version } = await import("../infra/adapters/duckdb/node-api.js");
	return version();
}

export const archives: ArchiveReader = {
	arrived: arrivedImages,
	recordsStart,
	async open(input, zip, shard, signal) {
		if (input.form === "unpacked") return openLoose(input.files, input.json);
		if (zip === null) throw new LakeError("INTERNAL", `Shard ${shard} has no local zip to open.`);
		return openZip(zip, shard, signal);
	},
	async readJson(json) {
		return readJsonMember(json);
	},
	extract: extractMember,
};

const REDIS_URL = "redis://127.0.0.1:6379";

/**
 * The queue's server by `REDIS_URL`.
 * @param prefix stands before every key of the queue, so that environments can share one server
 * @throws QUEUE_UNAVAILABLE, QUEUE_REFUSED, USAGE
 */
export async function openQueue(
	prefix: string,
	env: NodeJS.ProcessEnv,
	how: Omit<RedisOptions, "url"> = { patient: false },
): Promise<QueueConnection> {
	const { connectRedis } = await import("../infra/adapters/redis.js");
	const url = env.REDIS_URL || REDIS_URL;
	return { ...(await connectRedis({ url, ...how })), prefix };
}
