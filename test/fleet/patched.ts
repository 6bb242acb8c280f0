import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/root.js";

/** Another release of the product, beside this one: a copy whose pipeline version is another. */
export function otherRelease(folder: string, pipelineVersion: number): string {
	for (const part of ["bin", "package.json", "dist/schemas", "dist/pipelines", "dist/workers", "dist/infra"]) {
		cpSync(join(ROOT, part), join(folder, part), { recursive: true });
	}
	symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
	const file = join(folder, "dist/pipelines/mirror/plan/work-id.js");
	const text = readFileSync(file, "utf8");
	const patched = text.replace(/PIPELINE_VERSION = \d+/, `PIPELINE_VERSION = ${pipelineVersion}`);
	if (patched === text) throw new Error(`${file} names no pipeline version`);
	writeFileSync(file, patched);
	return folder;
}
