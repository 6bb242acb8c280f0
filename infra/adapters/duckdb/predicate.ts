import type { MetadataColumn, PlacedRow, Predicate } from "../../../pipelines/ports/tables.js";
import { LakeError } from "../../../schemas/errors.js";
import type { Scalar } from "../../../schemas/tables.js";
import {
	BIGINT,
	DOUBLE,
	type DuckDBConnection,
	DuckDBDataChunk,
	DuckDBInstance,
	type DuckDBResultReader,
	DuckDBTimestampTZValue,
	type DuckDBType,
	type DuckDBValue,
	INTEGER,
	TIMESTAMPTZ,
	VARCHAR,
} from "./node-api.js";
import { type Fault, faultOf } from "./predicate-rules.js";

const TYPES = { text: VARCHAR, integer: BIGINT, real: DOUBLE, timestamp: TIMESTAMPTZ };
/** DuckDB's vector size. */
const CHUNK_ROWS = 2048;
/** What stands before the user's text, on a line of its own. */
const BEFORE = "SELECT (\n";

/**
 * Reads a predicate, and finds it to be one expression over the metadata's columns that is the same at all times and
 * gives yes or no. The text is not trusted: what is executed is what was parsed, in a DuckDB of its own, without access
 * to any file, and with nothing in it but the rows. Throws USAGE, saying what is wrong and where.
 */
export async function openPredicate(text: string, columns: readonly MetadataColumn[]): Promise<Predicate> {
	const instance = await DuckDBInstance.create(":memory:", {
		// First: without access to files it could not be said.
		temp_directory: "",
		enable_external_access: "false",
		autoinstall_known_extensions: "false",
		autoload_known_extensions: "false",
		memory_limit: "256MB",
		threads: "1",
	});
	try {
		const connection = await instance.connect();
		await connection.run("SET TimeZone = 'UTC'");
		await connection.run("SET lock_configuration = true");
		const predicate = new DuckDBPredicate(instance, connection, text, columns);
		await predicate.check();
		return predicate;
	} catch (error) {
		instance.closeSync();
		throw error;
	}
}

class DuckDBPredicate implements Predicate {
	readonly #instance: DuckDBInstance;
	readonly #connection: DuckDBConnection;
	readonly #text: string;
	readonly #columns: readonly MetadataColumn[];
	/** What a predicate can speak of. */
	readonly #names: string[];
	/** Of the rows' place, and of these. */
	readonly #types: DuckDBType[];

	constructor(
		instance: DuckDBInstance,
		connection: DuckDBConnection,
		text: string,
		columns: readonly MetadataColumn[],
	) {
		this.#instance = instance;
		this.#connection = connection;
		this.#text = text;
		this.#columns = columns;
		this.#names = [...columns.map(({ name }) => name), "split", "shard"];
		this.#types = [VARCHAR, ...columns.map(({ type }) => TYPES[type]), VARCHAR, INTEGER];
	}

	/** Throws USAGE. */
	async check(): Promise<void> {
		const statement = `${BEFORE}${this.#text}\n)`;
		const skip = "skip_null := true, skip_empty := true, skip_default := true";
		const parsed = await this.#connection.runAndReadAll(`SELECT json_serialize_sql($1::VARCHAR, ${skip})`, [statement]);
		const fault = faultOf(statement, this.#tree(String(parsed.getRows()[0]?.[0])), this.#names);
		if (fault !== null) throw this.#refused(fault);
		const columns = this.#names.map((name, at) => `"${name}" ${this.#types[at + 1]}`);
		await this.#connection.run(`CREATE TEMP TABLE rows (place VARCHAR, ${columns.join(", ")})`);
		// A row of nothing: types are told, and constants that fit none of them.
		await this.#connection.run("INSERT INTO rows (place) VALUES (NULL)");
		const type = String((await this.#run()).columnType(0));
		if (type !== "BOOLEAN") throw this.#refused({ what: `it gives ${type}, not yes or no`, at: null });
	}

	/** DuckDB writes an infinite constant as no JSON can have it. */
	#tree(serialized: string): unknown {
		try {
			return JSON.parse(serialized);
		} catch {
			throw this.#refused({ what: "a number in it is too large", at: null });
		}
	}

	async selects(rows: PlacedRow[]): Promise<boolean[]> {
		const selected: boolean[] = [];
		for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
			selected.push(...(await this.#chunk(rows.slice(at, at + CHUNK_ROWS))));
		}
		return selected;
	}

	async close(): Promise<void> {
		this.#connection.closeSync();
		this.#instance.closeSync();
	}

	async #chunk(rows: PlacedRow[]): Promise<boolean[]> {
		await this.#connection.run("DELETE FROM rows");
		const chunk = DuckDBDataChunk.create(this.#types);
		chunk.setColumns([
			rows.map((_, at) => String(at).padStart(4, "0")),
			...this.#columns.map(({ name, type }) => rows.map(({ row }) => cellOf(row[name] ?? null, type))),
			rows.map(({ split }) => split),
			rows.map(({ shard }) => shard),
		]);
		const appender = await this.#connection.createAppender("rows");
		appender.appendDataChunk(chunk);
		appender.closeSync();
		return (await this.#run()).getRows().map(([chosen]) => chosen === true);
	}

	/** The expression of every row, in their order. */
	async #run(): Promise<DuckDBResultReader> {
		try {
			return await this.#connection.runAndReadAll(`${BEFORE}${this.#text}\n) FROM rows ORDER BY place`);
		} catch (error) {
			// What it says of types and values, without the excerpt below.
			const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
			throw this.#refused({ what: `DuckDB says: ${reason.replace(/^[A-Za-z ]+ Error: /, "")}`, at: null });
		}
	}

	#refused({ what, at }: Fault): LakeError {
		const from = at === null ? -1 : at - BEFORE.length;
		const rest = from < 0 ? "" : this.#text.slice(from, from + 20).trimEnd();
		const place = rest === "" ? "" : `, at character ${from + 1} (${rest})`;
		return new LakeError("USAGE", `--where cannot be used${place}: ${what.replace(/[.!]$/, "")}.`, {
			path: "--where",
			hint: `It is one yes-or-no expression over ${this.#names.join(", ")}; texts stand in single quotes.`,
		});
	}
}

function cellOf(cell: Scalar, type: MetadataColumn["type"]): DuckDBValue {
	if (type === "text") return cell === null ? null : String(cell);
	if (typeof cell !== "number") return null;
	if (type === "integer") return BigInt(cell);
	return type === "timestamp" ? new DuckDBTimestampTZValue(BigInt(cell)) : cell;
}
