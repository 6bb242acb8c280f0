import { onOrOff, type Reader } from "./readers.js";

/** Under which heading options stand in the help; in this order. */
export const OPTION_GROUPS = [
	"Source",
	"Shards",
	"Lake",
	"What is stored",
	"Schedule",
	"Export",
	"Audit",
	"Retention",
	"Run",
	"Network",
	"Output",
] as const;
type OptionGroup = (typeof OPTION_GROUPS)[number];

interface About {
	group: OptionGroup;
	/** How its value stands in the help: `<n>`, or `<name...>` where several may be given. */
	value: string;
	/** A line of help; a default is added to it. */
	help: string;
	/** What the value names, for completion. */
	path?: "file" | "folder";
	/** Values to complete, where the reader does not know them. */
	choices?: readonly string[];
	/** How the default is shown. */
	defaultText?: string;
}

/** An option: all that is said of it anywhere. Its flag and its variable are spelled after its name in the set. */
export interface Option<T> extends About {
	reader: Reader<unknown>;
	/** Whether it takes no value. */
	isSwitch: boolean;
	/** What stands where it is not given. */
	default: T;
}

/** Options by name: `max_side` is `--max-side` and `IRLAKE_MAX_SIDE`. */
export type OptionSet = Readonly<Record<string, Option<unknown>>>;

/** What the options of a set are read as. */
export type ValuesOf<Set extends OptionSet> = { [Name in keyof Set]: Set[Name] extends Option<infer T> ? T : never };

/** Undefined where it is not given. */
export function optional<T>(reader: Reader<T>, about: About): Option<T | undefined> {
	return { ...about, reader, isSwitch: false, default: undefined };
}

export function defaulted<T>(reader: Reader<T>, value: T, about: About): Option<T> {
	return { defaultText: String(value), ...about, reader, isSwitch: false, default: value };
}

export function flag(about: Omit<About, "value">): Option<boolean> {
	return { ...about, value: "", reader: onOrOff, isSwitch: true, default: false };
}

/** `max_side` → `--max-side` */
export function flagOf(name: string): string {
	return `--${name.replaceAll("_", "-")}`;
}

/** `max_side` → `IRLAKE_MAX_SIDE` */
export function variableOf(name: string): string {
	return `IRLAKE_${name.toUpperCase()}`;
}

/** The line of help, with the default. */
export function helpOf({ help, defaultText }: Option<unknown>): string {
	return defaultText === undefined ? help : `${help} (default: ${defaultText})`;
}
