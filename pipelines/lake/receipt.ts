import { LakeError } from "../../schemas/errors.js";
import { type Counts, Receipt, type Snapshot } from "../../schemas/records.js";
import { each } from "../each.js";
import type { Reader, Records } from "../ports/store.js";
import { receiptFile } from "./paths.js";
import { parseRecord, recordBytes } from "./snapshot.js";
import { markedReceipts } from "./sweeping/marks.js";

/** Receipts: the record that a shard is done. What one says of the shard is made by `mirror/write/make-receipt.ts`. */

/** Receipts read at once: each is a request to a store elsewhere. */
const AT_ONCE = 32;

/** A receipt, or null when there is none. Throws LAKE_DAMAGED. */
export async function readReceipt(store: Reader, path: string): Promise<Receipt | null> {
	const content = await store.get(path);
	if (!content) return null;
	const receipt = parseRecord(Receipt, content, path, store);
	if (path !== receiptFile.path(receipt.shard, receipt.work_id)) {
		throw new LakeError("LAKE_DAMAGED", `${path} in ${store.name} is the receipt of other work.`, { path });
	}
	return receipt;
}

/** Receipts at the paths, by work id, in the paths' order; those that are not there are left out. Throws LAKE_DAMAGED. */
export async function readReceipts(store: Reader, paths: string[]): Promise<Map<string, Receipt>> {
	const found = new Array<Receipt | null>(paths.length).fill(null);
	await each(paths.entries(), AT_ONCE, async ([at, path]) => {
		found[at] = await readReceipt(store, path);
	});
	return new Map(found.flatMap((receipt) => (receipt ? [[receipt.work_id, receipt]] : [])));
}

/** Receipts of a snapshot's shards, by shard. Throws LAKE_DAMAGED where one is missing. */
export async function snapshotReceipts(store: Reader, { shards }: Snapshot): Promise<Map<string, Receipt>> {
	const found = await readReceipts(
		store,
		shards.map(({ receipt }) => receipt),
	);
	const receipts = shards.map(({ shard, work_id, receipt: path }) => {
		const receipt = found.get(work_id);
		if (receipt) return [shard, receipt] as const;
		throw new LakeError("LAKE_DAMAGED", `${path} is missing in ${store.name}.`, { path });
	});
	return new Map(receipts);
}

/** Of receipts that no snapshot may name, those that vacuum has not marked, by work id: what is marked counts as absent. */
export async function unmarkedReceipts(store: Reader, paths: string[]): Promise<Map<string, Receipt>> {
	const present = await readReceipts(store, paths);
	const found = [...present].map(([id, { shard }]) => ({ id, path: receiptFile.path(shard, id) }));
	const marked = await markedReceipts(
		store,
		found.map(({ path }) => path),
	);
	for (const { id, path } of found) if (marked.has(path)) present.delete(id);
	return present;
}

/**
 * Stores a receipt, last of all that is stored of a shard. Where another release or process was first, its receipt is
 * adopted, unless vacuum took files that it names. It is then written again as it is: what vacuum marked before that no
 * longer counts as marked.
 * @returns the receipt that the lake has now
 */
export async function storeReceipt(store: Reader & Records, receipt: Receipt): Promise<Receipt> {
	const path = receiptFile.path(receipt.shard, receipt.work_id);
	for (;;) {
		if (await store.putIfAbsent(path, recordBytes(receipt))) return receipt;
		const first = await readReceipt(store, path);
		if (!first) continue;
		const there = await Promise.all(first.files.map((file) => store.stat(file.path)));
		const stays = there.every(Boolean) ? first : receipt;
		if (await store.replace(path, recordBytes(stays), recordBytes(first))) return stays;
	}
}

/** Hash of what the shard was made of: its zip, or its unpacked files. */
export function inputSha256({ inputs }: Pick<Receipt, "inputs">): string {
	return inputs.zip_sha256 ?? inputs.files_sha256 ?? "";
}

/** Sums the receipts' keys; one that a receipt lacks counts as zero there. */
export function sumCounts(receipts: Receipt[]): Counts {
	const sum: Counts = {
		rows_in: 0,
		rows_published: 0,
		rows_rejected: 0,
		members_in: 0,
		members_published: 0,
		members_rejected: 0,
		orphans: 0,
		objects_bytes: 0,
	};
	for (const { counts } of receipts) {
		for (const [key, value] of Object.entries(counts)) sum[key] = (sum[key] ?? 0) + (value ?? 0);
	}
	return sum;
}

/** Findings of several shards, added up by code. */
export function sumFindings(all: Iterable<Receipt["findings"]>): Receipt["findings"] {
	const sum: Receipt["findings"] = {};
	for (const findings of all) {
		for (const code of Object.keys(findings) as (keyof typeof findings)[]) {
			sum[code] = (sum[code] ?? 0) + (findings[code] ?? 0);
		}
	}
	return sum;
}
