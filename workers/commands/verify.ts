import { join } from "node:path";
import { verifyLake } from "../../pipelines/verify/verify.js";
import { LakeError } from "../../schemas/errors.js";
import { openProgress } from "../progress.js";
import type { CommandContext, CommandResult } from "../run-command.js";
import { lazyTables, requireScratch } from "../surroundings.js";
import { countedText, countText, sizeText } from "../text.js";
import { openImages, openStore } from "../wire.js";

/** How many problems a person is shown; all of them stand in the document. */
const SHOWN = 20;

/** `irlake verify`: audits a lake against its own records. */
export async function verify(context: CommandContext): Promise<CommandResult> {
	const { options, env, log, signal, say } = context;
	const note = (level: "info" | "warn", message: string, fields?: Record<string, unknown>): void =>
		log[level](fields ?? {}, message);
	const store = await openStore(options, { signal, note, env });
	const scratch = await requireScratch(options, env);
	const tables = lazyTables(scratch);
	const images = options.deep ? await openImages(null, note) : null;
	const progress = openProgress(context, context.drawn, 1);
	try {
		const tools = {
			store,
			tables,
			images,
			work: join(scratch, "work", `${process.pid}-verify`),
			onObjects: (count: number) => {
				progress.shardStarted("objects", 0);
				progress.imagesFound("objects", count);
			},
			onObject: () => progress.imageDone("objects"),
		};
		const report = await verifyLake(tools, signal);
		progress.close();
		if (!report) {
			throw new LakeError("LAKE_NOT_FOUND", `there is no lake in ${options.lake}`, { path: options.lake });
		}
		const { checked, problems } = report;
		const ok = problems.length === 0;
		say(`${options.lake}: ${ok ? "all is as recorded" : countedText(problems.length, "problem")}`);
		say(
			`looked at ${countedText(checked.snapshots, "snapshot")}, ${countedText(checked.receipts, "receipt")}, ` +
				`${countedText(checked.files, "file")}, ${countedText(checked.objects, "object")} (${sizeText(checked.bytes)})`,
		);
		if (checked.zips_unchecked > 0)
			say(`the SHA-256 of ${countedText(checked.zips_unchecked, "zip")} was never checked: only parts were fetched`);
		if (options.deep) say(`decoded ${countedText(checked.decoded, "image")} again`);
		for (const { code, path, detail } of problems.slice(0, SHOWN)) say(`  ${code}  ${path}\n    ${detail}`);
		if (problems.length > SHOWN) say(`  … and ${countText(problems.length - SHOWN)} more: see them all with --json`);
		return { exit: ok ? 0 : 4, document: { ok, checked, problems } };
	} finally {
		progress.close();
		await images?.close();
		await tables.close();
	}
}
