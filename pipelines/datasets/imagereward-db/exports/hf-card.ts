import type { ExportedFile, ExportRecord } from "../../../../schemas/export.js";
import type { Snapshot } from "../../../../schemas/records.js";
import type { Settings } from "../../../../schemas/settings.js";
import type { ExportAsked } from "../../../dataset.js";
import { shardParts } from "../../../shards.js";
import { layout } from "../layout.js";
import type { Kind } from "./hf-columns.js";
import { featureLines } from "./hf-features.js";

/** The card of a dataset on the Hub: YAML that tells its readers what each configuration consists of, and a page. */

const REPO = "zai-org/ImageRewardDB";
const SPLITS = layout.splits.map(({ name }) => name);

/** A parquet file of the export. */
export interface HfFile {
	folder: Kind<never>["folder"];
	shard: string;
	rows: number;
	file: ExportedFile;
}

/** The parts of a kind that a card tells; whatever its rows are. */
type ToldKind = Pick<Kind<never>, "folder" | "suffix" | "columns">;

interface CardContent {
	snapshot: Snapshot;
	pairs: ExportAsked["pairs"];
	sizes: string[];
	kinds: ToldKind[];
	files: HfFile[];
	counts: ExportRecord["counts"];
}

interface Config {
	name: string;
	kind: ToldKind;
	splits: { split: string; files: HfFile[]; rows: number }[];
}

export function cardText(content: CardContent): string {
	const configs = configsOf(content);
	const fallback = content.sizes.at(-1) ?? "";
	return [
		"---",
		...headLines(content),
		"configs:",
		...configs.flatMap((config) => configLines(config, config.name === fallback)),
		"dataset_info:",
		...configs.flatMap(infoLines),
		"---",
		"",
		pageText(content, configs, fallback),
	].join("\n");
}

/** Every size plain, `_group` and `_pair`: the size's train shards, and the other splits whole. Splits and configurations without rows are left out. */
function configsOf({ sizes, kinds, files }: CardContent): Config[] {
	const all = sizes.flatMap((size) =>
		kinds.map((kind) => {
			const own = files.filter(({ folder, shard }) => {
				const { split, number } = shardParts(shard);
				return folder === kind.folder && number <= (layout.subsets[size]?.[split] ?? 0);
			});
			const splits = SPLITS.map((split) => {
				const chosen = own.filter(({ shard }) => shardParts(shard).split === split);
				return { split, files: chosen, rows: chosen.reduce((sum, { rows }) => sum + rows, 0) };
			});
			return { name: `${size}${kind.suffix}`, kind, splits: splits.filter(({ rows }) => rows > 0) };
		}),
	);
	return all.filter(({ splits }) => splits.length > 0);
}

function headLines({ counts }: CardContent): string[] {
	const sizes: [number, string][] = [
		[1e3, "n<1K"],
		[1e4, "1K<n<10K"],
		[1e5, "10K<n<100K"],
	];
	const size = sizes.find(([below]) => counts.images < below)?.[1] ?? "100K<n<1M";
	return [
		"license: apache-2.0",
		"language:",
		"- en",
		"task_categories:",
		"- text-to-image",
		"pretty_name: ImageRewardDB",
		"size_categories:",
		`- ${size}`,
		"source_datasets:",
		`- ${REPO}`,
	];
}

function configLines({ name, splits }: Config, isDefault: boolean): string[] {
	return [
		`- config_name: "${name}"`,
		...(isDefault ? ["  default: true"] : []),
		"  data_files:",
		...splits.flatMap(({ split, files }) => [
			`  - split: ${split}`,
			"    path:",
			...files.map(({ file }) => `    - ${file.path}`),
		]),
	];
}

function infoLines({ name, kind, splits }: Config): string[] {
	const bytesOf = (files: HfFile[]): number => files.reduce((sum, { file }) => sum + file.bytes, 0);
	const all = splits.reduce((sum, { files }) => sum + bytesOf(files), 0);
	return [
		`- config_name: "${name}"`,
		"  features:",
		...featureLines(kind.columns),
		"  splits:",
		...splits.flatMap(({ split, files, rows }) => [
			`  - name: ${split}`,
			`    num_bytes: ${bytesOf(files)}`,
			`    num_examples: ${rows}`,
		]),
		`  download_size: ${all}`,
		`  dataset_size: ${all}`,
	];
}

function pageText({ snapshot, pairs, counts }: CardContent, configs: Config[], fallback: string): string {
	const { uri, commit } = snapshot.source;
	// Where a downloaded copy lay on somebody's disk is nobody's business.
	const from = uri.startsWith("file:") ? `a downloaded copy of \`${REPO}\`` : `\`${uri}\``;
	const rows = configs.map(({ name, splits }) => {
		const count = (split: string): string => String(splits.find((one) => one.split === split)?.rows ?? 0);
		return `| \`${name}\` | ${SPLITS.map(count).join(" | ")} |`;
	});
	return `# ImageRewardDB

Expert rankings of text-to-image generations: prompts, images, ranks and ratings, of ${REPO} (Xu et al., 2023).
Every image was checked against its archive's checksum and decoded; rows whose image is broken are left out.
${selectionText(snapshot.settings)}
Made from snapshot ${snapshot.number} of a lake that mirrors ${from}${commit === null ? "" : ` at commit \`${commit}\``}:
${counts.images} images of ${counts.prompts} prompts, ${counts.pairs} strictly ordered pairs (${counts.ties} ties are left out).

| configuration | ${SPLITS.join(" | ")} |
|---|--:|--:|--:|
${rows.join("\n")}

\`1k\` to \`8k\`: one row for each image. \`_group\`: one row for each prompt, with lists of its images, ranks and ratings.
\`_pair\`: one row for each two images of a prompt of which one is ranked higher. A smaller rank is better.

${usageText(pairs, fallback, configs[0]?.splits[0]?.split ?? "train")}
## Licence and citation

Apache License 2.0. The prompts and images come from DiffusionDB.

\`\`\`bibtex
@misc{xu2023imagereward,
  title = {ImageReward: Learning and Evaluating Human Preferences for Text-to-Image Generation},
  author = {Xu, Jiazheng and Liu, Xiao and Wu, Yuchen and Tong, Yuxuan and Li, Qinkai and Ding, Ming and Tang, Jie and Dong, Yuxiao},
  year = {2023},
  eprint = {2304.05977},
  archivePrefix = {arXiv},
  primaryClass = {cs.CV}
}
\`\`\`
`;
}

/** A lake with a predicate holds a part of the dataset. */
function selectionText({ where, where_mode }: Settings): string {
	if (where === null) return "";
	const what =
		where_mode === "prompt" ? "whole prompts of which it is true for an image" : "images of which it is true";
	return `\nThis is a part of the dataset, chosen by a predicate over its metadata (${what}):\n\n\`\`\`\`sql\n${where}\n\`\`\`\`\n`;
}

/** The two lines stand in a block of their own, so that they can be copied as they are. `repo` is this folder or repository. */
function usageText(pairs: ExportAsked["pairs"], fallback: string, split: string): string {
	const load = `\`\`\`python
from datasets import load_dataset

images = load_dataset(repo, "${fallback}")  # repo: this repository's name, or its folder
\`\`\`
`;
	if (pairs === "embed") return load;
	return `${load}
The pairs name their images by row, so that each image is stored once; two lines turn them into images:

\`\`\`python
rows, pairs = (load_dataset(repo, config, split="${split}") for config in ("${fallback}", "${fallback}_pair"))
pairs = pairs.with_transform(lambda p: {"prompt": p["prompt"], **{f"img_{s}": rows[p[f"{s}_row"]]["image"] for s in ("better", "worse")}})
\`\`\`

Rows count within a split, and are the same in every size.
`;
}
