import { execFile } from "node:child_process";

const MAX_OUTPUT = 256 * 1024 * 1024;

export interface Ended {
	/** Null when a signal ended it. */
	code: number | null;
	stdout: string;
	stderr: string;
}

/** Runs a program to its end, whatever its exit code; in this process's folder, unless another is given. */
export function runProgram(
	program: string,
	args: string[],
	env: NodeJS.ProcessEnv = process.env,
	cwd: string = process.cwd(),
): Promise<Ended> {
	return new Promise((resolve, reject) => {
		const child = execFile(program, args, { env, cwd, maxBuffer: MAX_OUTPUT }, (error, stdout, stderr) => {
			if (child.pid === undefined) reject(error ?? new Error(`${program} did not start`));
			else resolve({ code: child.exitCode, stdout, stderr });
		});
	});
}
