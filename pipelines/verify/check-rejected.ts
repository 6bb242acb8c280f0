import { createHash } from "node:crypto";
import { rejectedFile } from "../lake/paths.js";
import type { Reader } from "../ports/store.js";
import type { Report } from "./report.js";

/** Every file below `rejected/` must match its name. The records do not say which files must be there. */
export async function checkRejected(store: Reader, report: Report, signal: AbortSignal): Promise<void> {
	for await (const { path, bytes } of store.list(rejectedFile.folder)) {
		signal.throwIfAborted();
		report.checked.objects++;
		report.checked.bytes += bytes;
		const hash = createHash("sha256");
		for await (const chunk of await store.read(path)) hash.update(chunk as Buffer);
		const sha256 = hash.digest("hex");
		if (path !== rejectedFile.path(sha256)) {
			report.add("OBJECT_HASH", path, `its SHA-256 is ${sha256}, which is not its name`);
		}
	}
}
