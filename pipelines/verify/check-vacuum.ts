import { LakeError } from "../../schemas/errors.js";
import { readSweep } from "../lake/sweeping/decisions.js";
import { readFirstKept } from "../lake/sweeping/first-kept.js";
import { listRecords, readMarks } from "../lake/sweeping/marks.js";
import { orDamage } from "../lake/sweeping/read-record.js";
import type { Reader } from "../ports/store.js";
import type { Report } from "./report.js";

/** Returns the oldest snapshot to audit: where vacuum's record of it is damaged, the newest. */
export async function checkVacuum(store: Reader, report: Report, newest: number): Promise<number> {
	const firstKept = await orDamage(readFirstKept(store));
	const unknown = firstKept instanceof LakeError;
	for (const { path, message, hint } of await damagedRecords(store)) {
		const left = unknown && path === firstKept.path ? " Only the newest snapshot's files were looked at." : "";
		report.add("RECORD_INVALID", path ?? "", `${message}${left} ${hint}`);
	}
	return unknown ? newest : firstKept;
}

/** Reads every record, and tells of each that is damaged. */
async function damagedRecords(store: Reader): Promise<LakeError[]> {
	const { marks, decided, swept } = await listRecords(store);
	const reads: (() => Promise<unknown>)[] = [
		...(swept ? [() => readFirstKept(store)] : []),
		...marks.map(
			({ id }) =>
				() =>
					readMarks(store, id),
		),
		...[...decided].map((id) => () => readSweep(store, id)),
	];
	const damaged: LakeError[] = [];
	for (const one of reads) {
		const found = await orDamage(one());
		if (found instanceof LakeError) damaged.push(found);
	}
	return damaged;
}
