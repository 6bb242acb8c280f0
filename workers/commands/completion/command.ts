import { type Command, type CommandFamily, defineCommand } from "../../command-line/command.js";

const SHELLS = ["bash", "zsh", "fish"];

/** @param all every command there is, asked for when a script is made */
export const completionCommand = (all: () => (Command | CommandFamily)[]) =>
	defineCommand({
		name: "completion",
		summary: "print a script that completes irlake's commands, options and values",
		arguments: [{ name: "shell", help: "bash, zsh or fish", choices: SHELLS }],
		options: {},
		examples: [
			"source <(irlake completion bash)",
			"irlake completion zsh > _irlake",
			"irlake completion fish > irlake.fish",
		],
		failed: null,
		load: async () => {
			const { completion } = await import("./run.js");
			return ({ say }, shell) => completion(say, shell ?? "", all());
		},
	});
