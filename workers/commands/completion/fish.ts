import type { CompletedCommand, CompletedOption } from "./completed.js";

export function fishScript(commands: CompletedCommand[]): string {
	const top = commands.filter(({ name }) => !name.includes(" "));
	const names = top.map(({ name }) => name).join(" ");
	const lines = [
		"# fish completion for irlake: write it to ~/.config/fish/completions/irlake.fish",
		"complete -c irlake -f",
		...top.map(({ name, summary }) => offer(`not __fish_seen_subcommand_from ${names}`, `-a ${name}`, summary)),
		...commands.flatMap(commandLines),
	];
	return `${lines.join("\n")}\n`;
}

function commandLines({ name, options, arguments: places, below }: CompletedCommand): string[] {
	const seen = name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
	const when = seen.join("; and ");
	const values = [...new Set([...below, ...places.flat()])];
	const unseen = below.length > 0 ? `${when}; and not __fish_seen_subcommand_from ${below.join(" ")}` : when;
	return [
		...(values.length > 0 ? [offer(unseen, `-a ${quoted(values.join(" "))}`, "")] : []),
		...options.map((option) => offer(unseen, optionText(option), option.help)),
	];
}

function optionText({ flag, takesValue, choices, path }: CompletedOption): string {
	const long = `-l ${flag.slice(2)}`;
	if (!takesValue) return long;
	if (path === "file") return `${long} -r -F`;
	if (path === "folder") return `${long} -x -a '(__fish_complete_directories)'`;
	return choices.length > 0 ? `${long} -x -a ${quoted(choices.join(" "))}` : `${long} -x`;
}

function offer(when: string, what: string, help: string): string {
	const described = help === "" ? "" : ` -d ${quoted(help)}`;
	return `complete -c irlake -n ${quoted(when)} ${what}${described}`;
}

function quoted(text: string): string {
	return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
