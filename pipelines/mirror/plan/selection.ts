import type { Settings } from "../../../schemas/settings.js";
import type { PlacedRow, Predicate } from "../../ports/tables.js";

/**
 * Which images of a shard a predicate chooses. It depends on the shard's own metadata rows and on the settings alone, as
 * the work id says: so whole prompts are those of one shard.
 */

export interface Selection {
	/** Images that the metadata names. */
	images: number;
	/** `image_path` of those chosen. */
	chosen: Set<string>;
}

interface SeenRow {
	path: string;
	promptId: string | null;
	selected: boolean;
}

/** Takes a split's metadata rows as they are read, in whatever order. */
export class Selecting {
	readonly #rows = new Map<string, SeenRow[]>();

	constructor(
		private readonly predicate: Predicate,
		private readonly mode: Settings["where_mode"],
	) {}

	async add(rows: (PlacedRow & { path: string })[]): Promise<void> {
		const selected = await this.predicate.selects(rows);
		rows.forEach(({ row, split, shard, path }, at) => {
			const promptId = typeof row.prompt_id === "string" ? row.prompt_id : null;
			const name = `${split}_${shard}`;
			const seen = this.#rows.get(name) ?? [];
			seen.push({ path, promptId, selected: selected[at] ?? false });
			this.#rows.set(name, seen);
		});
	}

	/** Of a path with several rows one is enough. */
	of(shard: string): Selection {
		const rows = this.#rows.get(shard) ?? [];
		const prompts = new Set<string>();
		if (this.mode === "prompt") {
			for (const { promptId, selected } of rows) if (selected && promptId !== null) prompts.add(promptId);
		}
		const chosen = rows.filter(({ promptId, selected }) => selected || (promptId !== null && prompts.has(promptId)));
		return {
			images: new Set(rows.map(({ path }) => path)).size,
			chosen: new Set(chosen.map(({ path }) => path)),
		};
	}
}
