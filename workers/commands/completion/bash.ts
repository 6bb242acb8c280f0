import type { CompletedCommand, CompletedOption } from "./completed.js";

/** For bash 3.2 and newer. What a value may be goes by the option's name alone: it means the same in every command. */
export function bashScript(commands: CompletedCommand[]): string {
	const options = new Map(commands.flatMap(({ options: own }) => own).map((option) => [option.flag, option]));
	const top = commands.filter(({ name }) => !name.includes(" ")).map(({ name }) => name);
	const branches = [
		branch(['""'], `values="${[...top, "help"].join(" ")}" flags="--help --version"`),
		...commands.map(({ name, options: own }) =>
			branch([`"${name}"`], `flags="${own.map(({ flag }) => flag).join(" ")}"`),
		),
	];
	const places = commands.flatMap(({ name, arguments: places, below }) => {
		const known = below.length > 0 ? [below] : places;
		return known.map((choices, at) => branch([`"${name} ${at}"`], `values="${choices.join(" ")}"`));
	});
	return `# bash completion for irlake: source it, or write it to
# ~/.local/share/bash-completion/completions/irlake
_irlake() {
	local line=\${COMP_LINE:0:COMP_POINT} command="" place=0 value="" values="" flags="" kind="" word
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=("")
	local last=$((\${#words[@]} - 1))
	local current=\${words[last]} before=\${words[last - 1]}
	if [[ $current == --*=* ]]; then
		before=\${current%%=*} current=\${current#*=}
	fi
	# The command, and how many arguments it has by now.
	for word in "\${words[@]:1:last-1}"; do
		if [[ -n $value ]]; then
			value=""
			continue
		fi
		case $word in
			--*=*) ;;
			${[...options.values()]
				.filter(({ takesValue }) => takesValue)
				.map(({ flag }) => flag)
				.join(" | ")}) value=1 ;;
			-*) ;;
			*)
				case "\${command:+$command }$word" in
					${commands.map(({ name }) => `"${name}"`).join(" | ")}) command="\${command:+$command }$word" ;;
					*) place=$((place + 1)) ;;
				esac
				;;
		esac
	done
	case $command in
${lines(branches)}
	esac
	case "$command $place" in
${lines(places)}
	esac
	case $before in
${lines([...options.values()].filter(({ takesValue }) => takesValue).map(valueBranch))}
	esac
	COMPREPLY=()
	case $kind in
		none) return ;;
		folder | file)
			compopt -o filenames 2>/dev/null
			while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
				if [[ $kind == folder ]]; then compgen -d -- "$current"; else compgen -f -- "$current"; fi
			)
			return
			;;
	esac
	[[ $kind != values && $current == -* ]] && values=$flags
	while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$values" -- "$current")
	# What stands before a colon is a word of its own to bash.
	if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
		COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*:}"}"}")
	fi
}
complete -F _irlake irlake
`;
}

function valueBranch({ flag, choices, path }: CompletedOption): string {
	if (choices.length > 0) return branch([flag], `kind=values values="${choices.join(" ")}"`);
	return branch([flag], `kind=${path ?? "none"}`);
}

function branch(patterns: string[], then: string): string {
	return `${patterns.join(" | ")}) ${then} ;;`;
}

function lines(branches: string[]): string {
	return branches.map((one) => `\t\t${one}`).join("\n");
}
