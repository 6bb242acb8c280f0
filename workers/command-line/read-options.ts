import { aboutCode } from "../../schemas/codes.js";
import { LakeError } from "../../schemas/errors.js";
import { didYouMean } from "./nearest.js";
import { flagOf, type OptionSet, type ValuesOf, variableOf } from "./option.js";

/** Flags and `IRLAKE_` variables, read and checked. Flags win. Throws USAGE before any side effect. */
export function readOptions<Set extends OptionSet>(
	options: Set,
	flags: Record<string, unknown>,
	env: NodeJS.ProcessEnv,
): ValuesOf<Set> {
	const values = Object.keys(options).map((name) => [name, readOption(options, name, flags, env)]);
	// Each value is what its own option reads.
	return Object.fromEntries(values) as ValuesOf<Set>;
}

function readOption(options: OptionSet, name: string, flags: Record<string, unknown>, env: NodeJS.ProcessEnv): unknown {
	const option = options[name];
	const flag = flags[camelCase(name)];
	const given = flag ?? (env[variableOf(name)] || undefined);
	if (!option || given === undefined) return option?.default;
	if (typeof given === "boolean") return given;
	const written = [given].flat().join(",");
	const value = option.reader.read(written);
	if (value !== null) return value;
	const called = flag === undefined ? variableOf(name) : flagOf(name);
	const { allowed, choices = [] } = option.reader;
	throw new LakeError("USAGE", `${called} cannot be ${JSON.stringify(written)}: give ${allowed}.`, {
		path: called,
		hint: `${didYouMean(written, choices)}${aboutCode("USAGE").todo}`,
	});
}

/** As the parser names a flag. */
function camelCase(name: string): string {
	return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
