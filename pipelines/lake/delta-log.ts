import { createHash } from "node:crypto";
import { LakeError } from "../../schemas/errors.js";
import { canonicalJson, type Snapshot, type TableFile } from "../../schemas/records.js";
import { type Column, PARTITION_COLUMNS, type Table } from "../../schemas/tables.js";
import { tableFile } from "./paths.js";

/**
 * Delta Lake commits, written without a library (PROTOCOL.md, reader 1, writer 2). Pure: the same two snapshots give
 * the same bytes. One file for each version, never overwritten; statistics hold exact row counts only.
 */

/** The commit that takes `table` from `base` to `next`. Its version is `next.number - 1`. */
export function deltaCommit(table: Table, base: Snapshot | null, next: Snapshot, snapshotPath: string): Buffer {
	const { name } = table;
	const time = next.source.committed_at === null ? 0 : Date.parse(next.source.committed_at);
	const before = new Map((base?.tables[name]?.files ?? []).map((file) => [file.path, file]));
	const after = new Map((next.tables[name]?.files ?? []).map((file) => [file.path, file]));
	const actions: object[] = [
		{
			commitInfo: {
				timestamp: time,
				operation: "WRITE",
				operationParameters: {},
				engineInfo: "irlake/1",
				irlakeSnapshot: snapshotPath,
			},
		},
	];
	if (next.number === 1) {
		actions.push({ protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
		actions.push({ metaData: metaData(table, time) });
	}
	actions.push({ txn: { appId: "irlake", version: next.number } });
	// A file in both versions gets no action: readers disagree about a path that one commit removes and adds.
	for (const file of before.values()) if (!after.has(file.path)) actions.push({ remove: remove(name, file, time) });
	for (const file of after.values()) if (!before.has(file.path)) actions.push({ add: add(name, file, time) });
	return Buffer.from(actions.map((action) => `${canonicalJson(action)}\n`).join(""));
}

/** The snapshot that a commit belongs to, or null when the text is not a commit of ours. */
export function snapshotOfCommit(commit: Buffer): string | null {
	try {
		const [first = ""] = commit.toString("utf8").split("\n", 1);
		const action: unknown = JSON.parse(first);
		const info = (action as { commitInfo?: { irlakeSnapshot?: unknown } }).commitInfo;
		return typeof info?.irlakeSnapshot === "string" ? info.irlakeSnapshot : null;
	} catch {
		return null;
	}
}

/** Path for Delta: relative to the table. It contains no character that a URI would encode. */
function inTable(table: string, file: TableFile): string {
	return file.path.slice(`${tableFile.tableFolder(table)}/`.length);
}

function partitionValues({ path }: TableFile): Record<string, string> {
	const parts = tableFile.parse(path);
	if (!parts) throw new LakeError("LAKE_DAMAGED", `${path} is not the path of a file of a table.`, { path });
	return { split: parts.split, shard: String(parts.number) };
}

function add(table: string, file: TableFile, time: number): object {
	return {
		path: inTable(table, file),
		partitionValues: partitionValues(file),
		size: file.bytes,
		modificationTime: time,
		dataChange: true,
		stats: JSON.stringify({ numRecords: file.rows }),
	};
}

function remove(table: string, file: TableFile, time: number): object {
	return {
		path: inTable(table, file),
		deletionTimestamp: time,
		dataChange: true,
		extendedFileMetadata: true,
		partitionValues: partitionValues(file),
		size: file.bytes,
	};
}

function metaData({ name, columns }: Table, time: number): object {
	return {
		id: tableId(name),
		name,
		format: { provider: "parquet", options: {} },
		schemaString: JSON.stringify({ type: "struct", fields: [...columns, ...PARTITION_COLUMNS].map(field) }),
		partitionColumns: PARTITION_COLUMNS.map((column) => column.name),
		// Other tools' vacuum goes by deletionTimestamp, which is old here; time travel must survive it.
		configuration: {
			"delta.deletedFileRetentionDuration": "interval 36500 days",
			"delta.logRetentionDuration": "interval 36500 days",
			"delta.enableExpiredLogCleanup": "false",
		},
		createdTime: time,
	};
}

/** A UUID (version 8, vendor-specific) made from the table's name, the same in every lake. */
function tableId(table: string): string {
	const hex = createHash("sha256").update(`irlake/${table}`).digest("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function field({ name, type }: Column): object {
	return { name, type: deltaType(type), nullable: true, metadata: {} };
}

function deltaType(type: Column["type"]): unknown {
	if (typeof type === "object") {
		return { type: "array", elementType: { type: "struct", fields: type.list.map(field) }, containsNull: true };
	}
	if (type === "text") return "string";
	if (type === "texts") return { type: "array", elementType: "string", containsNull: true };
	return type === "real" ? "float" : type;
}
