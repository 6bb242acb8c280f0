import { type Logger, pino } from "pino";
import { LOG_LEVELS } from "../schemas/bounds.js";
import { LakeError } from "../schemas/errors.js";
import { orList } from "./command-line/nearest.js";

/** The log, and what sends a terminal's lines elsewhere while bars are drawn on it (null: back to stderr). */
export interface Log {
	log: Logger;
	divert(to: ((text: string) => void) | null): void;
}

/** Logs go to stderr: pretty on a terminal, JSON lines otherwise. Throws USAGE for an unknown LOG_LEVEL. */
export async function openLog(env: NodeJS.ProcessEnv): Promise<Log> {
	const level = env.LOG_LEVEL || "info";
	if (!(LOG_LEVELS as readonly string[]).includes(level)) {
		throw new LakeError("USAGE", `LOG_LEVEL cannot be ${JSON.stringify(level)}: give ${orList(LOG_LEVELS)}.`);
	}
	const options = { level, base: null };
	if (!process.stderr.isTTY) {
		return { log: pino(options, pino.destination({ dest: 2, sync: true })), divert: () => {} };
	}
	const { prettyFactory } = await import("pino-pretty");
	const prettify = prettyFactory({
		colorize: !env.NO_COLOR,
		translateTime: "HH:MM:ss",
		ignore: "pid,hostname",
		// Messages tell a person enough; the fields are for machines and for those who look for a fault.
		hideObject: level !== "debug" && level !== "trace",
	});
	const plain = (text: string): void => void process.stderr.write(text);
	let write = plain;
	return {
		log: pino(options, { write: (line: string) => write(prettify(line) ?? "") }),
		divert: (to) => {
			write = to ?? plain;
		},
	};
}
