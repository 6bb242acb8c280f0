import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DuckDBInstance, DuckDBTimestampTZValue } from "@duckdb/node-api";
import { shardParts } from "../../../pipelines/shards.js";
import { metadataPath } from "../../../pipelines/splits.js";
import type { FindingCode } from "../../../schemas/codes.js";
import { STORED, ZipWriter } from "../../tools/sample/zip-writer.js";
import { specimenDb } from "./dataset.js";
import { plantDefects } from "./defects.js";
import { plannedShard, type SpecimenMetadata, type SpecimenShard } from "./plan.js";

export interface SpecimenOptions {
	shards: string[];
	/** Images a shard; default 10. */
	images?: number;
	/** Default 1. */
	seed?: number;
	/** Default `zip`. */
	layout?: "zip" | "unpacked";
	/** Plants every defect, over the first three shards. */
	defects?: boolean;
	/** Tells another caption of the first image of this shard: one row of the source has changed. */
	retold?: string;
}

/** What a mirror of one shard must count. */
export interface ExpectedSpecimens {
	findings: Partial<Record<FindingCode, number>>;
	counts: Record<string, number>;
}

/** Writes a source of specimen-db. Same options, same bytes. Gives what a mirror must find, by shard. */
export async function makeSpecimens(
	folder: string,
	options: SpecimenOptions,
): Promise<Record<string, ExpectedSpecimens>> {
	const { images = 10, seed = 1, layout = "zip", defects = false } = options;
	const shards = options.shards.map((shard) => plannedShard(shard, images, seed));
	if (defects) plantDefects(shards);
	for (const { shard, specimens } of shards) {
		const [first] = specimens;
		if (shard !== options.retold || !first?.metadata) continue;
		first.json.t = first.metadata.caption = "told otherwise";
	}
	for (const shard of shards) writeShard(folder, shard, layout);
	for (const { name } of specimenDb.layout.splits) {
		const own = shards.filter(({ shard }) => shardParts(shard).split === name);
		if (own.length > 0) await writeMetadata(join(folder, metadataPath(specimenDb, name)), own.flatMap(metadataOf));
	}
	return Object.fromEntries(shards.map((shard) => [shard.shard, expectedOf(shard)]));
}

function writeShard(folder: string, { shard, specimens, orphans }: SpecimenShard, layout: "zip" | "unpacked"): void {
	const { zipPath, folderPath, jsonName } = specimenDb.layout;
	const rows = specimens.map(({ name, json }) => `  ${JSON.stringify(name)}: ${JSON.stringify(json)}`);
	const json = { name: jsonName(shard), image: Buffer.from(`{\n${rows.join(",\n")}\n}\n`) };
	const files = [json, ...specimens.filter(hasImage), ...orphans];
	if (layout === "unpacked") {
		mkdirSync(join(folder, folderPath(shard)), { recursive: true });
		for (const { name, image } of files) writeFileSync(join(folder, folderPath(shard), name), image);
		return;
	}
	const path = join(folder, zipPath(shard));
	mkdirSync(dirname(path), { recursive: true });
	const zip = new ZipWriter(path);
	for (const { name, image } of files) zip.add(name, image, STORED);
	zip.end();
}

function hasImage<T extends { image: Buffer | null }>(one: T): one is T & { image: Buffer } {
	return one.image !== null;
}

function metadataOf({ specimens, extra }: SpecimenShard): SpecimenMetadata[] {
	return [...specimens.flatMap(({ metadata }) => metadata ?? []), ...extra];
}

const METADATA_TYPES: Record<keyof SpecimenMetadata, string> = {
	part_id: "INTEGER",
	image_name: "VARCHAR",
	caption: "VARCHAR",
	weight: "FLOAT",
	seed: "UINTEGER",
	style_code: "INTEGER",
	taken_at: "TIMESTAMPTZ",
	sharpness: "DOUBLE",
};

async function writeMetadata(file: string, rows: SpecimenMetadata[]): Promise<void> {
	mkdirSync(dirname(file), { recursive: true });
	const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
	const connection = await instance.connect();
	try {
		const columns = Object.entries(METADATA_TYPES).map(([name, type]) => `${name} ${type}`);
		await connection.run(`CREATE TABLE metadata (${columns.join(", ")})`);
		const appender = await connection.createAppender("metadata");
		for (const row of rows) {
			appender.appendInteger(row.part_id);
			appender.appendVarchar(row.image_name);
			appender.appendVarchar(row.caption);
			appender.appendFloat(row.weight);
			appender.appendUInteger(row.seed);
			appender.appendInteger(row.style_code);
			if (row.taken_at === null) appender.appendNull();
			else appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(row.taken_at)));
			if (row.sharpness === null) appender.appendNull();
			else appender.appendDouble(row.sharpness);
			appender.endRow();
		}
		appender.closeSync();
		await connection.run(`COPY metadata TO '${file.replaceAll("'", "''")}' (FORMAT parquet)`);
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}

/** Nothing here looks at how a mirror counts. */
function expectedOf({ specimens, orphans, findings }: SpecimenShard): ExpectedSpecimens {
	const rejected = specimens.filter((one) => one.rejected).length;
	const members = specimens.filter(hasImage);
	const published = members.filter(({ fate }) => fate === "published").length;
	return {
		findings,
		counts: {
			rows_in: specimens.length,
			rows_published: specimens.length - rejected,
			rows_rejected: rejected,
			members_in: members.length + orphans.length,
			members_published: published,
			members_rejected: members.length - published,
			orphans: orphans.length,
		},
	};
}
