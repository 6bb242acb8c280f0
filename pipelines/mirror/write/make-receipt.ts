import { LAKE_FORMAT, type Receipt } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import type { Finding, ShardTables, Verdict } from "../check/verdict.js";
import type { ShardPlan } from "../plan/decide.js";

/** The record that one shard is done. Pure. */
export function makeReceipt(
	plan: ShardPlan,
	settings: Settings,
	verdict: Verdict,
	made: Pick<ShardTables, "counts"> & Pick<Receipt, "files">,
): Receipt {
	const objects = new Map(verdict.good.map(({ image }) => [image.object_key, image.bytes]));
	return {
		format: LAKE_FORMAT,
		work_id: plan.workId,
		shard: plan.shard,
		inputs: { ...zipInput(plan), metadata_rows_sha256: plan.metadataRowsSha256 },
		settings,
		counts: {
			...verdict.counts,
			...made.counts,
			objects_bytes: [...objects.values()].reduce((sum, bytes) => sum + bytes, 0),
		},
		findings: countFindings(verdict.findings),
		files: made.files,
	};
}

function zipInput({ input, selection }: ShardPlan): Omit<Receipt["inputs"], "metadata_rows_sha256"> {
	if (input.form === "zip") {
		const checked = selection ? { zip_hash_checked: !selection.ranged } : {};
		return { zip_sha256: input.sha256, zip_bytes: input.bytes, ...checked };
	}
	return { zip_sha256: null, zip_bytes: null, files_sha256: input.sha256 };
}

/** How many findings of each code there are. */
export function countFindings(findings: Finding[]): Receipt["findings"] {
	const counts: Receipt["findings"] = {};
	for (const { code } of findings) counts[code] = (counts[code] ?? 0) + 1;
	return counts;
}
