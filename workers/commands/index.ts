import type { Command, CommandFamily, CommandHeading } from "../command-line/command.js";
import type { DatasetHelp } from "../dataset-help.js";
import { completionCommand } from "./completion/command.js";
import { diffCommand } from "./diff/command.js";
import { doctorCommand } from "./doctor/command.js";
import { enqueueCommand } from "./enqueue/command.js";
import { exportCommand } from "./export/command.js";
import { mirrorCommand } from "./mirror/command.js";
import { planCommand } from "./plan/command.js";
import { rollbackCommand } from "./rollback/command.js";
import { scheduleCommands } from "./schedule/command.js";
import { statusCommand } from "./status/command.js";
import { vacuumCommand } from "./vacuum/command.js";
import { verifyCommand } from "./verify/command.js";
import { workerCommand } from "./worker/command.js";

/** Commands by the heading that they stand under in `irlake --help`. */
type Commands = Readonly<Record<CommandHeading, readonly (Command | CommandFamily)[]>>;

/** All commands; a new one is a folder here and a line. */
export function allCommands(about: DatasetHelp): Commands {
	const commands: Commands = {
		Mirror: [planCommand(about), mirrorCommand(about), doctorCommand(about)],
		Inspect: [statusCommand(), diffCommand(about)],
		Maintain: [verifyCommand(about), rollbackCommand(), vacuumCommand()],
		Export: [exportCommand(about)],
		Fleet: [enqueueCommand(about), workerCommand(), scheduleCommands(about)],
		Shell: [completionCommand(() => Object.values(commands).flat())],
	};
	return commands;
}
