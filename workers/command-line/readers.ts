import { orList } from "./nearest.js";

/** How the text of an option becomes a value. */

export interface Reader<T> {
	/** The text's value; null where it has none. */
	read(text: string): T | null;
	/** What is allowed, as a message names it. */
	allowed: string;
	/** The allowed texts, where they are few. */
	choices?: readonly string[];
}

export const text: Reader<string> = {
	read: (given) => (given === "" ? null : given),
	allowed: "a text that is not empty",
};

/** May be empty. */
export function textUpTo(characters: number): Reader<string> {
	return {
		read: (given) => (given.trim().length <= characters ? given.trim() : null),
		allowed: `at most ${characters} characters`,
	};
}

export function matching(pattern: RegExp, allowed: string): Reader<string> {
	return { read: (given) => (pattern.test(given) ? given : null), allowed };
}

export function choice<const T extends string>(choices: readonly T[]): Reader<T> {
	return { read: (given) => choices.find((one) => one === given) ?? null, allowed: orList(choices), choices };
}

/** Several texts, with commas. */
export const texts: Reader<string[]> = {
	read: (given) => (given === "" ? null : given.split(",").map((one) => one.trim())),
	allowed: text.allowed,
};

interface Bounds {
	least: number;
	most: number;
}

export function whole(bounds: Bounds): Reader<number> {
	return within(/^\d+$/, bounds, `a whole number from ${bounds.least} to ${bounds.most}`);
}

export function decimal(bounds: Bounds): Reader<number> {
	return within(/^(\d+(\.\d+)?|\.\d+)$/, bounds, `a number from ${bounds.least} to ${bounds.most}`);
}

function within(pattern: RegExp, { least, most }: Bounds, allowed: string): Reader<number> {
	return {
		read: (given) => {
			const number = pattern.test(given) ? Number(given) : Number.NaN;
			return number >= least && number <= most ? number : null;
		},
		allowed,
	};
}

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** `24h`, `30m`, `7d`, `90s`, `90`: in seconds. */
export const duration: Reader<number> = {
	read: (given) => {
		if (!/^\d+(\.\d+)?[smhd]?$/.test(given)) return null;
		return Number.parseFloat(given) * (SECONDS[given.slice(-1)] ?? 1);
	},
	allowed: "a time such as 24h, 30m, 7d, or a number of seconds",
};

const UNITS: Record<string, number> = { "": 1, K: 1e3, M: 1e6, G: 1e9, KI: 2 ** 10, MI: 2 ** 20, GI: 2 ** 30 };

function inBytes(given: string): number {
	const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMG]i?)?B?$/i.exec(given) ?? [];
	return number === undefined ? Number.NaN : Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
}

/** `1GB`, `500MB`, `64MiB`, `1000000000`: in bytes. */
export const size: Reader<number> = {
	read: (given) => {
		const bytes = inBytes(given);
		return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : null;
	},
	allowed: "a size such as 1GB or 500MB",
};

/** `20MB`, `500KB/s`, `1.5MiB`, `800000`: in bytes a second. */
export const bandwidth: Reader<number> = {
	read: (given) => {
		const bytes = inBytes(given.replace(/\/s$/i, ""));
		return bytes >= 1000 ? bytes : null;
	},
	allowed: "bytes a second, such as 20MB or 500KB/s, and 1KB/s at least",
};

/** Of a switch's variable; "" is off. */
export const onOrOff: Reader<boolean> = {
	read: (given) => {
		if (given === "1" || given === "true") return true;
		return given === "0" || given === "false" || given === "" ? false : null;
	},
	allowed: "true or false",
	choices: ["true", "false"],
};
