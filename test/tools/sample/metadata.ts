import { writeFileSync } from "node:fs";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { INTEGER_COLUMNS, ROW_COLUMNS, type SourceRow } from "../../support/tables.js";

/** How a split's metadata is broken. */
export type MetadataDamage = "absent" | "unreadable" | "rank-double" | "rank-renamed" | "rank-missing";

const INTEGERS = new Set<string>(INTEGER_COLUMNS);

/** Columns as they are written in SQL, by the damage asked for. */
function selection(damage: MetadataDamage | null): string {
	const columns = ROW_COLUMNS.map((column) => {
		if (column !== "rank") return column;
		if (damage === "rank-double") return "rank::DOUBLE AS rank";
		if (damage === "rank-renamed") return "rank AS ranking";
		return damage === "rank-missing" ? null : column;
	});
	return columns.filter((column) => column !== null).join(", ");
}

/**
 * Writes a split's metadata as pandas would: nine columns, texts and 64-bit integers, snappy.
 * Same rows, same bytes. With `absent` nothing is written.
 */
export async function writeMetadata(
	file: string,
	rows: Iterable<SourceRow>,
	damage: MetadataDamage | null = null,
): Promise<void> {
	if (damage === "absent") return;
	if (damage === "unreadable") return writeFileSync(file, "PAR1 no footer follows");
	const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
	const connection = await instance.connect();
	try {
		const columns = ROW_COLUMNS.map((column) => `${column} ${INTEGERS.has(column) ? "BIGINT" : "VARCHAR"}`);
		await connection.run(`CREATE TABLE metadata (${columns.join(", ")})`);
		const appender = await connection.createAppender("metadata");
		for (const row of rows) {
			for (const column of ROW_COLUMNS) {
				const value = row[column];
				if (typeof value === "number") appender.appendBigInt(BigInt(value));
				else appender.appendVarchar(value);
			}
			appender.endRow();
		}
		appender.closeSync();
		const target = file.replaceAll("'", "''");
		await connection.run(
			`COPY (SELECT ${selection(damage)} FROM metadata) TO '${target}' (FORMAT parquet, COMPRESSION snappy)`,
		);
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}
