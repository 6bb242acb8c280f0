import { setMaxListeners } from "node:events";
import { type CheckResult, runChecks } from "../../../pipelines/doctor/check.js";
import { LakeError } from "../../../schemas/errors.js";
import { type CommandContext, type CommandResult, errorDocument } from "../../command-line/command.js";
import { countedText, wrapText } from "../../report/format.js";
import { doctorChecks } from "./checks.js";
import { DoctorFacts, type DoctorOptions } from "./facts.js";

/** Longest time of one check. */
const CHECK_SECONDS = 15;
const WIDTH = 80;

/** `irlake doctor`: looks at all that a mirror needs, and says how to mend what is not as it should be. */
export async function doctor(context: CommandContext<DoctorOptions>): Promise<CommandResult> {
	const { signal, say } = context;
	// Each check listens, and each thing that several of them look at: no leak.
	setMaxListeners(0, signal);
	const facts = await DoctorFacts.of(context);
	let checks: CheckResult[];
	try {
		checks = await runChecks(doctorChecks(facts), CHECK_SECONDS, signal);
	} finally {
		await facts.close();
	}
	for (const check of checks) say(checkText(check));
	const bad = checks.filter(({ state }) => state === "failed");
	const warned = checks.filter(({ state }) => state === "warn").length;
	if (bad.length === 0) say(`\nready to mirror${warned > 0 ? `, with ${countedText(warned, "warning")}` : ""}`);
	const names = bad.map(({ name }) => name).join(", ");
	const error = new LakeError("CHECKS_FAILED", `${bad.length} of ${checks.length} checks failed: ${names}.`);
	return {
		exit: bad.length === 0 ? 0 : 1,
		document: { ok: bad.length === 0, checks },
		error: bad.length === 0 ? null : errorDocument(error),
	};
}

/** State and name in columns, the rest wrapped beside them; what to do on lines of its own. */
function checkText({ name, state, detail, mend }: CheckResult): string {
	const head = `${state.padEnd(8)}${name.replaceAll("_", " ").padEnd(17)}`;
	const lines = wrapText(detail, WIDTH - head.length);
	if (mend !== null) lines.push(...wrapText(`→ ${mend}`, WIDTH - head.length));
	return lines.map((line, index) => (index === 0 ? head : " ".repeat(head.length)) + line).join("\n");
}
