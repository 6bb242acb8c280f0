import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../../schemas/errors.js";
import type { ShardPlan } from "../plan/decide.js";

/** `<scratch>/failed/<shard>-<start of the work id>` */
export function failedFolder(scratch: string, plan: ShardPlan): string {
	return join(scratch, "failed", `${plan.shard}-${plan.workId.slice(0, 12)}`);
}

/** Keeps what a failed shard leaves for a person to look at: its findings, one JSON a line, and a downloaded zip. */
export async function keepFailed(
	scratch: string,
	plan: ShardPlan,
	error: Error,
	/** As they are told in quarantine. */
	findings: object[],
	zip: string | null,
): Promise<string> {
	const folder = failedFolder(scratch, plan);
	await mkdir(folder, { recursive: true });
	const lines = findings.map((finding) => `${JSON.stringify(finding)}\n`);
	await writeFile(join(folder, "findings.jsonl"), lines.join(""));
	await writeFile(join(folder, "error.txt"), `${error.message}\n`);
	if (zip !== null) {
		try {
			// A second name costs no space, and the next run still finds the download under its first one.
			await link(zip, join(folder, `${plan.shard}.zip`));
		} catch (cause) {
			if (systemCode(cause) !== "EEXIST") throw cause;
		}
	}
	return folder;
}

/** Removes what an earlier, failed attempt at the same work had left. */
export async function forgetFailed(scratch: string, plan: ShardPlan): Promise<void> {
	await rm(failedFolder(scratch, plan), { recursive: true, force: true });
}
