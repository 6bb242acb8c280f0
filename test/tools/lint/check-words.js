import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

// Finds words of one dataset in code that must know none of them: comments count too. It stands outside of that code,
// since it has to name them. An argument is another checkout to look through. Ends with 1 where it finds any.
const root = process.argv[2] ?? fileURLToPath(new URL("../../../", import.meta.url));
const FOLDERS = ["schemas", "pipelines", "workers", "infra", "bin"];
const DATASETS = join("pipelines", "datasets", "imagereward-db");
/** Bytes of a program, not text. */
const SKIPPED = new Set([".wasm"]);

const COLUMNS = [
	...["prompt_id", "rank", "overall_rating", "fidelity_rating"],
	...["image_text_alignment_rating", "image_amount_in_total"],
];
// Neither preceded nor followed by a letter or a digit; names of shards and of the dataset whatever follows.
const WORDS = new RegExp(
	`(?<![A-Za-z0-9])(?:(?:${COLUMNS.join("|")}|zai-org|THUDM)(?![A-Za-z0-9])|train_)|ImageReward`,
);

function* filesOf(folder) {
	for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) {
			if (path !== DATASETS) yield* filesOf(path);
		} else if (!SKIPPED.has(extname(path))) yield path;
	}
}

const found = FOLDERS.flatMap((folder) => [...filesOf(folder)]).flatMap((path) => {
	const lines = readFileSync(join(root, path), "utf8").split("\n");
	return lines.flatMap((line, at) => {
		const word = WORDS.exec(line)?.[0];
		return word === undefined ? [] : [`${relative(".", path)}:${at + 1}: ${word}`];
	});
});
for (const line of found) console.error(line);
if (found.length > 0) {
	console.error(`\nThe core knows no dataset: say it without these words, or in ${DATASETS}.`);
	process.exitCode = 1;
}
