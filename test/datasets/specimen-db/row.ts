import type { SourceColumn } from "../../../pipelines/dataset.js";
import { shardParts } from "../../../pipelines/shards.js";
import type { Scalar } from "../../../schemas/tables.js";

/** The JSON says caption, weight, seed and style of an image; the metadata these, and when and how sharp it was taken. */

export const STYLES = ["ink", "oil", "chalk"];
const UINT32 = 2 ** 32;

type Read = (value: unknown) => Scalar | undefined;

const text: Read = (value) => (typeof value === "string" ? value : undefined);
const number: Read = (value) => (typeof value === "number" ? Math.fround(value) : undefined);
const seed: Read = (value) =>
	Number.isInteger(value) && Number(value) >= 0 && Number(value) < UINT32 ? Number(value) : undefined;
const style: Read = (value) => (STYLES.includes(String(value)) ? String(value) : undefined);

export const columns: readonly SourceColumn[] = [
	{ name: "image_path", type: "text", json: { field: "image_path", read: text } },
	{ name: "caption", type: "text", json: { field: "t", read: text }, metadata: { column: "caption", type: "text" } },
	{ name: "weight", type: "real", json: { field: "w", read: number }, metadata: { column: "weight", type: "real" } },
	{ name: "seed", type: "long", json: { field: "n", read: seed }, metadata: { column: "seed", type: "integer" } },
	{
		name: "style",
		type: "text",
		json: { field: "style", read: style },
		metadata: {
			column: "style_code",
			type: "integer",
			read: (cell) => (typeof cell === "number" ? (STYLES[cell - 1] ?? `style ${cell}`) : cell),
			write: (value) => STYLES.indexOf(String(value)) + 1,
		},
	},
	{ name: "taken_at", type: "timestamp", metadata: { column: "taken_at", type: "timestamp" } },
	{ name: "sharpness", type: "double", metadata: { column: "sharpness", type: "real" } },
	{
		name: "part",
		type: null,
		metadata: { column: "part_id", type: "integer" },
		derive: (shard) => shardParts(shard).number,
	},
	{
		name: "image_name",
		type: null,
		metadata: { column: "image_name", type: "text" },
		derive: (_, path) => path.slice(path.lastIndexOf("/") + 1),
	},
];
