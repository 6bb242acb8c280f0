import { LakeError } from "../../schemas/errors.js";
import { EXTENSION, type StoredFormat } from "../../schemas/stored-format.js";

/**
 * The lake's layout: every path of format version 1, built and parsed only here. Paths are relative to the lake, with
 * `/`. `parse` accepts exactly what `path` builds and returns null for anything else: such a file is not ours, and is
 * never deleted. Imports nothing that loads zod, since each image thread loads this file.
 */

/** Names the newest snapshot. */
export const LATEST = "latest.json";

/** A shard's name is its split's name and its number in it: `test_7`. */
const SHARD = /^([A-Za-z0-9-]+)_(0|[1-9]\d*)$/;

function splitShard(shard: string): { split: string; number: string } {
	const [, split, number] = SHARD.exec(shard) ?? [];
	if (split === undefined || number === undefined) throw notShard(shard);
	return { split, number };
}

function notShard(name: string): LakeError {
	return new LakeError("INTERNAL", `${JSON.stringify(name)} is not the name of a shard, such as test_1.`);
}

/** `snapshots/000007-0123456789ab.json`: the number, and the start of the SHA-256 of its bytes. */
export const snapshotFile = {
	folder: "snapshots",
	path(number: number, sha256: string): string {
		return `snapshots/${String(number).padStart(6, "0")}-${sha256.slice(0, 12)}.json`;
	},
	parse(path: string): { number: number; hash12: string } | null {
		const [, number, hash12] = /^snapshots\/(\d{6}|[1-9]\d{6,})-([0-9a-f]{12})\.json$/.exec(path) ?? [];
		return hash12 === undefined ? null : { number: Number(number), hash12 };
	},
};

/** `receipts/test/test_7/<work id>.json` */
export const receiptFile = {
	folder: "receipts",
	path(shard: string, workId: string): string {
		return `receipts/${splitShard(shard).split}/${shard}/${workId}.json`;
	},
	parse(path: string): { shard: string; workId: string } | null {
		const [, , shard, workId] =
			/^receipts\/([A-Za-z0-9-]+)\/(\1_(?:0|[1-9]\d*))\/([0-9a-f]{64})\.json$/.exec(path) ?? [];
		return shard === undefined || workId === undefined ? null : { shard, workId };
	},
};

/** `tables/images/split=test/shard=7/0123456789abcdef.parquet`: the start of the SHA-256 of its bytes. */
export const tableFile = {
	folder: "tables",
	/** Delta Lake's paths are relative to it. */
	tableFolder(table: string): string {
		return `tables/${table}`;
	},
	path(table: string, shard: string, sha256: string): string {
		const { split, number } = splitShard(shard);
		return `tables/${table}/split=${split}/shard=${number}/${sha256.slice(0, 16)}.parquet`;
	},
	parse(path: string): { table: string; shard: string; split: string; number: number; hash16: string } | null {
		const [, table, split, number, hash16] =
			/^tables\/([a-z][a-z0-9_]*)\/split=([A-Za-z0-9-]+)\/shard=(0|[1-9]\d*)\/([0-9a-f]{16})\.parquet$/.exec(path) ??
			[];
		if (table === undefined || split === undefined || hash16 === undefined) return null;
		return { table, shard: `${split}_${number}`, split, number: Number(number), hash16 };
	},
};

/** `tables/images/_delta_log/00000000000000000006.json`: a commit to a table. */
export const logFile = {
	folder(table: string): string {
		return `tables/${table}/_delta_log`;
	},
	path(table: string, version: number): string {
		return `tables/${table}/_delta_log/${String(version).padStart(20, "0")}.json`;
	},
	parse(path: string): { table: string; version: number } | null {
		const [, table, version] = /^tables\/([a-z][a-z0-9_]*)\/_delta_log\/(\d{20})\.json$/.exec(path) ?? [];
		return table === undefined ? null : { table, version: Number(version) };
	},
};

/** `objects/sha256/01/<SHA-256>.webp`: an image as it is stored. */
export const objectFile = {
	folder: "objects",
	path(sha256: string, format: StoredFormat): string {
		return `objects/sha256/${sha256.slice(0, 2)}/${sha256}.${EXTENSION[format]}`;
	},
	/** Any format, including ones that this release does not write. */
	parse(path: string): { sha256: string; extension: string } | null {
		const [, , sha256, extension] =
			/^objects\/sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.([a-z][a-z0-9]*)$/.exec(path) ?? [];
		return sha256 === undefined || extension === undefined ? null : { sha256, extension };
	},
};

/** `rejected/sha256/01/<SHA-256>`: the bytes of a quarantined member, if they are kept. */
export const rejectedFile = {
	folder: "rejected",
	path(sha256: string): string {
		return `rejected/sha256/${sha256.slice(0, 2)}/${sha256}`;
	},
	parse(path: string): { sha256: string } | null {
		const [, , sha256] = /^rejected\/sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/.exec(path) ?? [];
		return sha256 === undefined ? null : { sha256 };
	},
};

/** Files that writers keep for themselves: not part of the data, and listed only when named. */
export const PRIVATE = ".irlake";

/** Files below `.irlake/`, except vacuum's records. Owners are processes: see `pipelines/scratch/owner.ts`. */
export const privateFile = {
	/** The lake's id. */
	lakeId: `${PRIVATE}/lake.json`,
	/** The key of an export to a prefix of a bucket. */
	exportKey: `${PRIVATE}/export-key`,
	asideFolder: `${PRIVATE}/tmp`,
	/** A file or folder that is still being written under a temporary name; `number` counts those of one owner. */
	aside(owner: string, number: number): string {
		return `${PRIVATE}/tmp/${owner}.${number}`;
	},
	/** The owner in a name in `asideFolder`. */
	asideOwner(name: string): string {
		return name.replace(/\.\d+$/, "");
	},
	stagedFolders: `${PRIVATE}/staged`,
	/** Where an owner's image threads put objects before their shard is known to be good. */
	stagedFolder(owner: string): string {
		return `${PRIVATE}/staged/${owner}`;
	},
	/** Written to test a bucket's conditional writes, and removed. */
	probe(id: string): string {
		return `${PRIVATE}/probe-${id}`;
	},
	/** Where doctor tests writes in a bucket. */
	doctorFolder(owner: string): string {
		return `${PRIVATE}/doctor-${owner}`;
	},
};

/** Records by which vacuums and publishers coordinate. An id is a UUID. */
export const vacuumFile = {
	folder: `${PRIVATE}/vacuum`,
	firstKept: `${PRIVATE}/vacuum/first-kept.json`,
	clock: `${PRIVATE}/vacuum/clock.json`,
	marks(id: string): string {
		return `${PRIVATE}/vacuum/${id}.marks.json`;
	},
	sweep(id: string): string {
		return `${PRIVATE}/vacuum/${id}.sweep.json`;
	},
	parse(path: string): { kind: "marks" | "sweep"; id: string } | null {
		const [, id, kind] = /^\.irlake\/vacuum\/([0-9a-f-]{36})\.(marks|sweep)\.json$/.exec(path) ?? [];
		return id === undefined ? null : { kind: kind === "marks" ? "marks" : "sweep", id };
	},
};
