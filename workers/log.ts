import { type Logger, pino } from "pino";
import { LOG_LEVELS } from "../schemas/config.js";
import { LakeError } from "../schemas/errors.js";

/** Logs go to stderr: pretty on a terminal, JSON lines otherwise. Throws USAGE for an unknown LOG_LEVEL. */
export async function openLog(env: NodeJS.ProcessEnv): Promise<Logger> {
	const level = env.LOG_LEVEL || "info";
	if (!(LOG_LEVELS as readonly string[]).includes(level)) {
		throw new LakeError("USAGE", `LOG_LEVEL cannot be ${JSON.stringify(level)}: one of ${LOG_LEVELS.join(", ")}`);
	}
	const options = { level, base: null };
	if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }));
	const { default: pretty } = await import("pino-pretty");
	const colorize = !env.NO_COLOR;
	return pino(
		options,
		pretty({ destination: 2, sync: true, colorize, translateTime: "HH:MM:ss", ignore: "pid,hostname" }),
	);
}
