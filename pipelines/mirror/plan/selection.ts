import type { Settings } from "../../../schemas/settings.js";
import type { PlacedRow, Predicate } from "../../ports/tables.js";

/**
 * Which images of a shard a predicate selects. This depends only on the shard's own metadata rows and on the settings,
 * since the work id covers nothing else. So a whole prompt means its images in one shard.
 */

export interface Selection {
	/** Number of images in the metadata. */
	images: number;
	/** `image_path` of the selected ones. */
	chosen: Set<string>;
}

interface SeenRow {
	path: string;
	group: string | null;
	selected: boolean;
}

/** Collects a split's metadata rows as they are read, in any order. */
export class SelectionBuilder {
	readonly #rows = new Map<string, SeenRow[]>();

	readonly #predicate: Predicate;
	readonly #mode: Settings["where_mode"];
	readonly #group: string | null;

	/** @param group the dataset's group column */
	constructor(predicate: Predicate, mode: Settings["where_mode"], group: string | null) {
		this.#predicate = predicate;
		this.#mode = mode;
		this.#group = group;
	}

	async add(rows: (PlacedRow & { path: string })[]): Promise<void> {
		const selected = await this.#predicate.selects(rows);
		rows.forEach(({ row, split, shard, path }, at) => {
			const group = this.#group === null ? null : row[this.#group];
			const name = `${split}_${shard}`;
			const seen = this.#rows.get(name) ?? [];
			seen.push({ path, group: typeof group === "string" ? group : null, selected: selected[at] ?? false });
			this.#rows.set(name, seen);
		});
	}

	/** A path with several rows is selected if one of them is. */
	of(shard: string): Selection {
		const rows = this.#rows.get(shard) ?? [];
		const groups = new Set<string>();
		if (this.#mode === "prompt") {
			for (const { group, selected } of rows) if (selected && group !== null) groups.add(group);
		}
		const chosen = rows.filter(({ group, selected }) => selected || (group !== null && groups.has(group)));
		return {
			images: new Set(rows.map(({ path }) => path)).size,
			chosen: new Set(chosen.map(({ path }) => path)),
		};
	}
}
