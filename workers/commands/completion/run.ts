import { LakeError } from "../../../schemas/errors.js";
import type { Command, CommandFamily, CommandResult } from "../../command-line/command.js";
import { didYouMean } from "../../command-line/nearest.js";
import { bashScript } from "./bash.js";
import { describeCommands } from "./completed.js";
import { fishScript } from "./fish.js";
import { zshScript } from "./zsh.js";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `irlake completion SHELL`: made of the same definitions as the help. */
export async function completion(
	say: (text: string) => void,
	shell: string,
	all: (Command | CommandFamily)[],
): Promise<CommandResult> {
	if (!(shell in SCRIPTS)) {
		throw new LakeError("USAGE", `Completion is made for bash, zsh and fish, not for ${JSON.stringify(shell)}.`, {
			hint: `${didYouMean(shell, Object.keys(SCRIPTS))}See irlake completion --help.`,
		});
	}
	say(SCRIPTS[shell as keyof typeof SCRIPTS](describeCommands(all)).trimEnd());
	return { exit: 0, document: {} };
}
