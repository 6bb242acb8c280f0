import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

// Reads the files that latest.json's snapshot lists, as any consumer may.
const lake = process.argv[2] ?? "./lake";
const latest = JSON.parse(readFileSync(join(lake, "latest.json"), "utf8"));
const { tables } = JSON.parse(readFileSync(join(lake, latest.snapshot), "utf8"));
const files = (table) => `read_parquet([${tables[table].files.map(({ path }) => `'${join(lake, path)}'`).join(", ")}])`;

const queries = {
	"images and mean rating by classification": `
		SELECT classification, count(*) AS images, round(avg(overall_rating), 2) AS rating
		FROM ${files("images")} GROUP BY ALL ORDER BY images DESC, classification LIMIT 5`,
	"how often the better-ranked image also has the better rating": `
		SELECT split, count(*) AS pairs,
			round(avg((better_overall_rating > worse_overall_rating)::INT), 3) AS agree
		FROM ${files("pairs")} GROUP BY ALL ORDER BY split`,
};

const connection = await (await DuckDBInstance.create(":memory:")).connect();
for (const [title, sql] of Object.entries(queries)) {
	console.log(`\n-- ${title}`);
	console.table((await connection.runAndReadAll(sql)).getRowObjectsJson());
}
