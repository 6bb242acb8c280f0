import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { EmbeddedImage, ExportCell, ExportColumn, ExportFiles } from "../../../pipelines/ports/exports.js";
import { holdMark } from "../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../pipelines/scratch/owner.js";
import { LakeError } from "../../../schemas/errors.js";
import {
	BIGINT,
	BLOB,
	DOUBLE,
	DuckDBBlobValue,
	type DuckDBConnection,
	DuckDBInstance,
	DuckDBListValue,
	DuckDBStructValue,
	DuckDBTimestampTZValue,
	type DuckDBType,
	type DuckDBValue,
	FLOAT,
	INTEGER,
	LIST,
	STRUCT,
	TIMESTAMPTZ,
	TINYINT,
	VARCHAR,
} from "./node-api.js";

const TEMP = "rows_to_export";
const IMAGE = STRUCT({ bytes: BLOB, path: VARCHAR });
const TYPES: Record<ExportColumn["type"], DuckDBType> = {
	text: VARCHAR,
	byte: TINYINT,
	integer: INTEGER,
	long: BIGINT,
	real: FLOAT,
	double: DOUBLE,
	timestamp: TIMESTAMPTZ,
	bytes: LIST(TINYINT),
	image: IMAGE,
	images: LIST(IMAGE),
};

/**
 * Parquet with images in it. DuckDB cuts row groups at the borders of its chunks, and of one table makes one group
 * whatever its size; so each group is written as a file of its own, and the files are joined with a group size of 1,
 * which closes a group at every chunk and so at every part. With one thread the order, and each byte, is the input's.
 *
 * Images are compressed already: zstd took twice the time and saved nothing.
 */
export async function openExportFiles(spillFolder: string): Promise<ExportFiles> {
	// Named as the tables' own, which are numbered from 1, so that what a killed process spilled is removed with theirs.
	holdMark(dirname(resolve(spillFolder)));
	const spill = join(resolve(spillFolder), `duckdb-${ownerId()}.0`);
	const instance = await DuckDBInstance.create(":memory:", {
		// A group of 48 MB is held about four times while it is joined.
		memory_limit: "384MB",
		temp_directory: spill,
		threads: "1",
		autoinstall_known_extensions: "false",
		autoload_known_extensions: "false",
		lock_configuration: "true",
	});
	const connection = await instance.connect();
	return {
		writePart: (columns, rows, file) => guard(file, () => writePart(connection, columns, rows, file)),
		join: (parts, file, metadata) => guard(file, () => joinParts(connection, parts, file, metadata)),
		async close() {
			connection.closeSync();
			instance.closeSync();
			await rm(spill, { recursive: true, force: true });
		},
	};
}

async function writePart(
	connection: DuckDBConnection,
	columns: ExportColumn[],
	rows: Iterable<ExportCell[]> | AsyncIterable<ExportCell[]>,
	file: string,
): Promise<void> {
	const defined = columns.map(({ name, type }) => `"${name}" ${TYPES[type]}`).join(", ");
	await connection.run(`CREATE OR REPLACE TEMP TABLE ${TEMP} (${defined})`);
	const appender = await connection.createAppender(TEMP);
	try {
		for await (const row of rows) {
			columns.forEach(({ type }, at) => {
				appender.appendValue(cellOf(row[at], type), TYPES[type]);
			});
			appender.endRow();
		}
	} finally {
		appender.closeSync();
	}
	await connection.run(`COPY ${TEMP} TO ${literal(file)} (FORMAT parquet, COMPRESSION uncompressed)`);
	await connection.run(`DROP TABLE ${TEMP}`);
}

async function joinParts(
	connection: DuckDBConnection,
	parts: string[],
	file: string,
	metadata: string | null,
): Promise<void> {
	const from = `read_parquet([${parts.map(literal).join(", ")}], hive_partitioning = false)`;
	const extra = metadata === null ? "" : `, KV_METADATA {huggingface: ${literal(metadata)}}`;
	const options = `FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 1${extra}`;
	await connection.run(`COPY (SELECT * FROM ${from}) TO ${literal(file)} (${options})`);
}

function cellOf(cell: ExportCell | undefined, type: ExportColumn["type"]): DuckDBValue {
	if (cell === undefined) throw new LakeError("INTERNAL", "A row to export lacks a column.");
	return type === "timestamp" && typeof cell === "number" ? new DuckDBTimestampTZValue(BigInt(cell)) : value(cell);
}

function value(cell: ExportCell): DuckDBValue {
	if (cell === null || typeof cell === "string") return cell;
	if (typeof cell === "number") return cell;
	if (Array.isArray(cell)) return new DuckDBListValue(cell.map((item) => value(item)));
	return image(cell);
}

function image({ bytes, path }: EmbeddedImage): DuckDBValue {
	return new DuckDBStructValue({ bytes: new DuckDBBlobValue(bytes), path });
}

function literal(text: string): string {
	return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB tells a full disk in its message only. */
async function guard(file: string, work: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (cause) {
		if (cause instanceof LakeError) throw cause;
		const full = /No space left|Disk quota/i.test(String(cause));
		throw new LakeError(full ? "NO_SPACE" : "INTERNAL", `${file} could not be written.`, { path: file, cause });
	}
}
