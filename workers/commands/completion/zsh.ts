import type { CompletedCommand, CompletedOption } from "./completed.js";

export function zshScript(commands: CompletedCommand[]): string {
	const top = commands.filter(({ name }) => !name.includes(" "));
	return `#compdef irlake
# zsh completion for irlake: write it as _irlake to a folder of $fpath
_irlake() {
	local curcontext="$curcontext" state line
	_arguments -C '(- *)--help[show this help]' '(- *)--version[release, DuckDB and Node]' '1: :->command' '*:: :->rest'
	case $state in
		command)
			local -a commands=(
${top.map(({ name, summary }) => `\t\t\t\t${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`).join("\n")}
			)
			_describe command commands
			;;
		rest)
			case $words[1] in
${top.map((one) => `\t\t\t\t${one.name}) ${callOf(one)} ;;`).join("\n")}
			esac
			;;
	esac
}
${commands.map(functionOf).join("\n")}
if [[ $funcstack[1] == _irlake ]]; then _irlake "$@"; else compdef _irlake irlake; fi
`;
}

function callOf({ name }: CompletedCommand): string {
	return `_irlake_${name.replaceAll(" ", "_")}`;
}

function functionOf(command: CompletedCommand): string {
	const { name, options, arguments: places, below } = command;
	const specs = options.map(optionSpec);
	if (below.length > 0) {
		return `${callOf(command)}() {
	local curcontext="$curcontext" state line
	_arguments -C '1: :(${below.join(" ")})' '*:: :->rest'
	case $words[1] in
${below.map((one) => `\t\t${one}) ${callOf({ ...command, name: `${name} ${one}` })} ;;`).join("\n")}
	esac
}`;
	}
	specs.push(...places.map((choices, at) => quoted(`${at + 1}: :(${choices.join(" ")})`)));
	return `${callOf(command)}() {
	_arguments \\
${specs.map((spec) => `\t\t${spec}`).join(" \\\n")}
}`;
}

function optionSpec({ flag, help, takesValue, choices, path }: CompletedOption): string {
	const about = help.replace(/[\\[\]:]/g, "\\$&");
	if (!takesValue) return quoted(`${flag}[${about}]`);
	const files = { folder: "_files -/", file: "_files" };
	const values = choices.length > 0 ? `(${choices.map((one) => one.replaceAll(":", "\\:")).join(" ")})` : " ";
	return quoted(`${flag}=[${about}]:value:${path === null ? values : files[path]}`);
}

function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
