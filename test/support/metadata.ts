import { DuckDBInstance } from "../../infra/adapters/duckdb/node-api.js";

/** Writes a metadata parquet anew: the rows that `query` makes of the table `rows`, with DuckDB's parquet options. */
export async function rewriteParquet(from: string, to: string, query: string, options: string): Promise<void> {
	const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
	const connection = await instance.connect();
	try {
		await connection.run(`CREATE VIEW rows AS SELECT * FROM read_parquet('${from.replaceAll("'", "''")}')`);
		await connection.run(`COPY (${query}) TO '${to.replaceAll("'", "''")}' (FORMAT parquet, ${options})`);
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}
