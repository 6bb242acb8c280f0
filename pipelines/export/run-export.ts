import { rm, stat, writeFile } from "node:fs/promises";
import { LakeError } from "../../schemas/errors.js";
import { EXPORT_RECORD, type ExportedFile, type ExportKey, ExportRecord } from "../../schemas/export.js";
import { canonicalJson, recordText, type Snapshot } from "../../schemas/records.js";
import type { Dataset } from "../dataset.js";
import type { Exported, ExportJob, ExportTarget, ImageRow } from "../ports/exports.js";
import type { Reader, Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { hashFile } from "../scratch/hash-file.js";
import { readImage, readShardRows } from "./read-shard.js";

interface ExportTools {
	dataset: Dataset;
	store: Store;
	tables: TableFiles;
	target: ExportTarget;
	/** This run's own folder, for tables of a remote lake. */
	work: string;
	onImages(count: number): void;
}

interface ExportWanted {
	snapshot: Snapshot;
	key: ExportKey;
	/** Replace an export of another kind, snapshot or choice. */
	overwrite: boolean;
	/** Writes the format's files. */
	write(job: ExportJob): Promise<Exported>;
}

interface ExportOutcome {
	state: "exported" | "up_to_date";
	record: ExportRecord;
}

/**
 * Exports a snapshot's shards. Everything is prepared out of sight; `export.json` appears once the rest is there. A
 * complete export of the same key is left as it is; an interrupted one resumes after its last finished file.
 * Throws EXPORT_DIFFERS, OUT_NOT_EMPTY, OUT_BUSY, LAKE_DAMAGED, NO_SPACE.
 */
export async function runExport(tools: ExportTools, wanted: ExportWanted, signal: AbortSignal): Promise<ExportOutcome> {
	const { target } = tools;
	const existing = await readRecord(target);
	if (existing && sameKey(existing, wanted.key) && (await isWhole(target, existing))) {
		await target.tidy();
		return { state: "up_to_date", record: existing };
	}
	if (existing && !sameKey(existing, wanted.key) && !wanted.overwrite) throw differs(existing, target);
	const done = await target.begin(canonicalJson(wanted.key));
	try {
		const job = new Job(tools, wanted, done, signal);
		const { files, last } = await wanted.write(job);
		if (job.counts.images === 0) throw nothingToExport(wanted);
		const record: ExportRecord = { ...wanted.key, format: 1, counts: job.counts, files, image_files: job.imageFiles };
		await job.remake(EXPORT_RECORD, (local) => writeFile(local, recordText(record)));
		signal.throwIfAborted();
		await target.publish(["index.json", EXPORT_RECORD, ...(last ? [last.path] : [])]);
		return { state: "exported", record };
	} finally {
		await target.close();
		await rm(tools.work, { recursive: true, force: true });
	}
}

function nothingToExport({ snapshot, key }: ExportWanted): LakeError {
	const where = snapshot.settings.where === null ? "" : ` where ${snapshot.settings.where}`;
	return new LakeError("USAGE", `Snapshot ${snapshot.number} has no image in ${key.shards.join(", ")}${where}.`, {
		hint: "Choose other shards or another snapshot: irlake status tells how many images each has.",
	});
}

async function readRecord(target: ExportTarget): Promise<ExportRecord | null> {
	const content = await target.get(EXPORT_RECORD);
	if (!content) return null;
	try {
		return ExportRecord.parse(JSON.parse(content.toString("utf8")));
	} catch (cause) {
		throw new LakeError(
			"OUT_NOT_EMPTY",
			`The file ${EXPORT_RECORD} in ${target.name} is not the record of an export.`,
			{
				path: target.name,
				cause,
			},
		);
	}
}

function sameKey(record: ExportRecord, key: ExportKey): boolean {
	const { export: format, snapshot, shards, options } = record;
	return canonicalJson({ export: format, snapshot, shards, options }) === canonicalJson(key);
}

function differs({ export: format, snapshot, shards }: ExportRecord, target: ExportTarget): LakeError {
	const what = `${format} of snapshot ${snapshot.number} with ${shards.length} shards`;
	return new LakeError("EXPORT_DIFFERS", `There is another export in ${target.name}: ${what}.`, { path: target.name });
}

/** Whether every file of the record is there with its size. */
async function isWhole(target: ExportTarget, record: ExportRecord): Promise<boolean> {
	const missing = new Map(record.files.map(({ path, bytes }) => [path, bytes]));
	const images = { count: 0, bytes: 0 };
	for await (const { path, bytes } of target.list()) {
		if (missing.get(path) === bytes) missing.delete(path);
		else if (path.startsWith("images/")) {
			images.count += 1;
			images.bytes += bytes;
		}
	}
	return missing.size === 0 && canonicalJson(images) === canonicalJson(record.image_files);
}

class Job implements ExportJob {
	readonly imageFiles = { count: 0, bytes: 0 };
	readonly counts: { [name: string]: number; images: number } = { images: 0 };
	readonly signal: AbortSignal;
	readonly #tools: ExportTools;
	readonly #wanted: ExportWanted;
	readonly #done: Map<string, ExportedFile>;

	constructor(tools: ExportTools, wanted: ExportWanted, done: Map<string, ExportedFile>, signal: AbortSignal) {
		this.#tools = tools;
		this.#wanted = wanted;
		this.#done = done;
		this.signal = signal;
	}

	async *shards(): ReturnType<ExportJob["shards"]> {
		const { dataset } = this.#tools;
		for (const shard of this.#wanted.key.shards) {
			this.signal.throwIfAborted();
			const rows = await readShardRows(shard, this.#wanted.snapshot, this.#tools);
			this.counts.images += rows.length;
			for (const [name, count] of Object.entries(dataset.card.countExported(rows))) {
				this.counts[name] = (this.counts[name] ?? 0) + count;
			}
			yield { shard, rows };
		}
	}

	bytesOf(image: ImageRow): Promise<Buffer> {
		return readImage(this.#tools.store, image);
	}

	async file(path: string, make: (local: string) => Promise<void>): Promise<ExportedFile> {
		return this.#done.get(path) ?? this.remake(path, make);
	}

	/** Like `file`, but made again every time. */
	async remake(path: string, make: (local: string) => Promise<void>): Promise<ExportedFile> {
		const { target } = this.#tools;
		this.signal.throwIfAborted();
		const local = await target.temporaryPath();
		await make(local);
		const file = { path, bytes: (await stat(local)).size, sha256: await hashFile(local) };
		await target.put(file, local);
		return file;
	}

	async imageFile(path: string, image: ImageRow): Promise<void> {
		const { store, target } = this.#tools;
		const local = store.localPath(image.object_key);
		if (local === null) await this.#linkFetched(path, image);
		else await target.link(path, image.bytes, () => requireSize(local, image, store));
		this.imageFiles.count += 1;
		this.imageFiles.bytes += image.bytes;
	}

	/** For a remote lake: the bytes are fetched to a temporary file. */
	async #linkFetched(path: string, image: ImageRow): Promise<void> {
		const { target } = this.#tools;
		const fetched = await target.temporaryPath();
		try {
			await target.link(path, image.bytes, async () => {
				await writeFile(fetched, await this.bytesOf(image));
				return fetched;
			});
		} finally {
			await rm(fetched, { force: true });
		}
	}

	onImages(count: number): void {
		this.#tools.onImages(count);
	}
}

/** For a hard link the bytes are not read: `irlake verify` checks those of the whole lake. Throws LAKE_DAMAGED. */
async function requireSize(local: string, image: ImageRow, store: Reader): Promise<string> {
	const path = image.object_key;
	const found = await store.stat(path);
	if (found?.bytes === image.bytes) return local;
	throw new LakeError("LAKE_DAMAGED", `The object ${path} in ${store.name} is missing or has another size.`, { path });
}
