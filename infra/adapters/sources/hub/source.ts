import { z } from "zod";
import type { Dataset } from "../../../../pipelines/dataset.js";
import type { Listing, ShardInput, Source, SourceFile, SourcePin } from "../../../../pipelines/ports/source.js";
import { allShards } from "../../../../pipelines/shards.js";
import { metadataPath } from "../../../../pipelines/splits.js";
import { LakeError } from "../../../../schemas/errors.js";
import { Sha256 } from "../../../../schemas/records.js";
import { Bandwidth } from "../bandwidth.js";
import { notTheHub } from "./errors.js";
import { readHubFile } from "./file.js";
import { HubHttp, type HubHttpOptions } from "./http.js";
import { readHubRange } from "./range.js";

/** A listing has a thousand entries a page; a Hub that never ends is none. */
const MAX_PAGES = 1000;

const Commit = z.string().regex(/^[0-9a-f]{40}$/);
const bytes = z.int().nonnegative();

const DatasetInfo = z.object({
	/** The repository's present name. */
	id: z.string().regex(/^[\w.-]+(\/[\w.-]+)?$/),
	sha: Commit,
	lastModified: z.iso.datetime({ offset: true }),
	disabled: z.boolean().nullish(),
	gated: z.union([z.boolean(), z.string()]).nullish(),
});

const TreePage = z.array(
	z.object({
		type: z.string(),
		path: z.string().min(1),
		size: bytes,
		oid: Commit,
		/** `oid` is the content's SHA-256 here; the entry's own is then that of the pointer. */
		lfs: z.object({ oid: Sha256, size: bytes }).nullish(),
	}),
);

export interface HubSourceOptions extends HubHttpOptions {
	/** `owner/name`; a former name is followed to the present one. */
	repo: string;
	/** Branch, tag or commit. */
	revision: string;
	dataset: Dataset;
	/** What the revision was found to stand for by an earlier listing; absent or null: it is resolved. */
	pin?: SourcePin | null;
	/** Of all downloads together, in bytes a second; default: no limit. */
	bandwidth?: number | undefined;
}

function encodePath(path: string): string {
	return path.split("/").map(encodeURIComponent).join("/");
}

function sourceFile(entry: z.infer<typeof TreePage>[number]): SourceFile {
	const { path, size, oid, lfs } = entry;
	return lfs
		? { path, bytes: lfs.size, sha256: lfs.oid, gitOid: null }
		: { path, bytes: size, sha256: null, gitOid: oid };
}

function isZip({ layout }: Dataset, path: string): boolean {
	return path.endsWith(".zip") && layout.zipFolders.some((folder) => path.startsWith(`${folder}/`));
}

function wantedShards(files: Map<string, SourceFile>, dataset: Dataset, wanted: string[]): Map<string, ShardInput> {
	const shards = new Map<string, ShardInput>();
	for (const shard of wanted) {
		const file = files.get(dataset.layout.zipPath(shard));
		if (file === undefined) continue;
		if (file.sha256 === null) {
			throw new LakeError("HUB_NO_HASH", `The Hub lists ${file.path} without a SHA-256.`, { path: file.path });
		}
		shards.set(shard, { form: "zip", file, sha256: file.sha256, bytes: file.bytes });
	}
	return shards;
}

/** The revision's commit, its date and the repository's present name, in one request (two, where the repository was renamed). */
async function resolve(http: HubHttp, options: HubSourceOptions, signal: AbortSignal): Promise<SourcePin> {
	const { repo, revision } = options;
	const subject = { repo, revision, file: null };
	const url = http.url(`/api/datasets/${encodePath(repo)}/revision/${encodeURIComponent(revision)}`);
	const { value } = await http.json(url, DatasetInfo, { subject, signal });
	if (value.disabled)
		throw new LakeError("HUB_DISABLED", `The Hub at ${http.endpoint.host} has disabled dataset ${repo}.`);
	const given = revision.toLowerCase();
	if (Commit.safeParse(given).success && value.sha !== given) {
		throw notTheHub(http.endpoint, subject, `it gave commit ${value.sha} for ${given}`);
	}
	const pin: SourcePin = { repo: value.id, commit: value.sha, committedAt: seconds(value.lastModified) };
	if (value.gated) await probe(http, pin, options, signal);
	return pin;
}

/** Asks for one small file's headers, so that a gated dataset is refused before any work. */
async function probe(http: HubHttp, pin: SourcePin, options: HubSourceOptions, signal: AbortSignal): Promise<void> {
	const file = options.dataset.layout.splits[0]?.metadata ?? "";
	const subject = { repo: pin.repo, revision: options.revision, file };
	const ask = { subject, signal, method: "HEAD", stayHome: true } as const;
	try {
		const answer = await http.retry(() => http.open(fileUrl(http, pin, file), ask), signal);
		answer.body.dump().catch(() => undefined);
	} catch (error) {
		// Absent metadata is the plan's matter: it is told apart there from what was asked for.
		if (!(error instanceof LakeError) || error.code !== "HUB_ENTRY_NOT_FOUND") throw error;
	}
}

function seconds(time: string): string {
	return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function fileUrl(http: HubHttp, pin: SourcePin, path: string): URL {
	return http.url(`/datasets/${encodePath(pin.repo)}/resolve/${pin.commit}/${encodePath(path)}`);
}

/** Every file at the commit: all pages or none. */
async function tree(
	http: HubHttp,
	pin: SourcePin,
	revision: string,
	signal: AbortSignal,
): Promise<Map<string, SourceFile>> {
	const subject = { repo: pin.repo, revision, file: null };
	const files = new Map<string, SourceFile>();
	const asked = new Set<string>();
	let url: URL | null = http.url(
		`/api/datasets/${encodePath(pin.repo)}/tree/${pin.commit}?recursive=true&expand=false`,
	);
	while (url !== null) {
		if (asked.has(url.href) || asked.size === MAX_PAGES)
			throw notTheHub(http.endpoint, subject, "its listing never ends");
		asked.add(url.href);
		const page: { value: z.infer<typeof TreePage>; next: URL | null } = await http.json(url, TreePage, {
			subject,
			signal,
		});
		for (const entry of page.value) if (entry.type === "file") files.set(entry.path, sourceFile(entry));
		url = page.next;
	}
	return files;
}

class HubSource implements Source {
	readonly name: string;
	readonly #http: HubHttp;
	readonly #bandwidth: Bandwidth | null;
	readonly #explicitCommit: boolean;
	#pin: SourcePin | null;
	#files: Map<string, SourceFile> | null = null;
	/** Where the store of large files gives each file that ranges were read of; in memory only, as they are signed. */
	readonly #addresses = new Map<string, URL>();
	readonly #options: HubSourceOptions;

	constructor(options: HubSourceOptions) {
		this.#options = options;
		const { repo, revision } = options;
		const commit = Commit.safeParse(revision.toLowerCase());
		this.#http = new HubHttp(options);
		this.#bandwidth = options.bandwidth === undefined ? null : new Bandwidth(options.bandwidth, options.clock);
		this.name = `hf://${repo}@${revision}`;
		this.#explicitCommit = commit.success;
		this.#pin = commit.success ? { repo, commit: commit.data, committedAt: null } : null;
	}

	async list(wanted: { shards: string[]; splits: string[] }, signal: AbortSignal): Promise<Listing> {
		const { dataset, revision } = this.#options;
		if (this.#pin === null || this.#files === null) {
			const pin = this.#options.pin ?? (await resolve(this.#http, this.#options, signal));
			this.#files = await tree(this.#http, pin, revision, signal);
			this.#pin = pin;
		}
		const pin = this.#pin;
		const files = this.#files;
		const known = new Set(allShards(dataset).map((shard) => dataset.layout.zipPath(shard)));
		const metadata = wanted.splits.flatMap((split) => {
			const file = files.get(metadataPath(dataset, split));
			return file ? [[split, file] as const] : [];
		});
		return {
			uri: `hf://${pin.repo}@${revision}`,
			revision,
			commit: pin.commit,
			committedAt: pin.committedAt,
			explicitCommit: this.#explicitCommit,
			shards: wantedShards(files, dataset, wanted.shards),
			metadata: new Map(metadata),
			unknownZips: [...files.keys()].filter((path) => isZip(dataset, path) && !known.has(path)).sort(),
		};
	}

	localPath(): null {
		return null;
	}

	read(file: SourceFile, offset: number, signal: AbortSignal, restart: () => void): AsyncGenerator<Buffer> {
		const at = this.#place(file);
		return this.#limited(readHubFile(this.#http, { ...at, file, offset, signal, restart }), signal);
	}

	readRange(file: SourceFile, from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
		const at = this.#place(file);
		return this.#limited(readHubRange(this.#http, { ...at, file, from, to, signal }, this.#addresses), signal);
	}

	#place(file: SourceFile): { url: URL; pin: SourcePin } {
		if (this.#pin === null) throw new LakeError("INTERNAL", "The Hub was read before it was listed.");
		return { url: fileUrl(this.#http, this.#pin, file.path), pin: this.#pin };
	}

	async *#limited(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
		for await (const chunk of chunks) {
			await this.#bandwidth?.take(chunk.length, signal);
			yield chunk;
		}
	}

	close(): Promise<void> {
		return this.#http.close();
	}
}

/**
 * The dataset on the Hub. The revision is resolved and the tree listed once, at the first `list()`; later calls
 * choose from that. The listing's requests are retried here; `read` and `readRange` are one attempt each.
 */
export function createHubSource(options: HubSourceOptions): Source {
	return new HubSource(options);
}
