import type { ExportColumn } from "../../../ports/exports.js";

/** What the Hub's `datasets` library calls a column's type. */

type Feature = { dtype: string } | { list: string };

const FEATURES: Record<ExportColumn["type"], Feature> = {
	text: { dtype: "string" },
	byte: { dtype: "int8" },
	integer: { dtype: "int32" },
	long: { dtype: "int64" },
	real: { dtype: "float32" },
	double: { dtype: "float64" },
	timestamp: { dtype: "timestamp[us, tz=UTC]" },
	bytes: { list: "int8" },
	image: { dtype: "image" },
	images: { list: "image" },
};

/** The features as a card's YAML lists them, each line indented by two. */
export function featureLines(columns: ExportColumn[]): string[] {
	return columns.flatMap(({ name, type }) => {
		const [[key, value] = ["", ""]] = Object.entries(FEATURES[type]);
		return [`  - name: ${name}`, `    ${key}: ${value}`];
	});
}

function typed(name: string): Record<string, unknown> {
	return name === "image" ? { _type: "Image" } : { dtype: name, _type: "Value" };
}

/** The same as `datasets` writes them into a parquet file's own metadata, under the key `huggingface`. */
export function featureMetadata(columns: ExportColumn[]): string {
	const features = columns.map(({ name, type }) => {
		const feature = FEATURES[type];
		const typedFeature = "list" in feature ? { feature: typed(feature.list), _type: "List" } : typed(feature.dtype);
		return [name, typedFeature];
	});
	return JSON.stringify({ info: { features: Object.fromEntries(features) } });
}
