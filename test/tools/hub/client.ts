import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Counters } from "./counters.js";
import type { Chance, FaultOrder } from "./faults.js";
import type { HubOptions } from "./options.js";

const readyLine = z.object({ endpoint: z.string(), cdn: z.string(), commit: z.string() });

/** A Hub in a process of its own, as tests hold it. */
export interface HubHandle {
	/** For `HF_ENDPOINT`, without a final slash. */
	endpoint: string;
	cdn: string;
	/** The commit of `main` at the start. */
	commit: string;
	pid: number;
	counters: () => Promise<Counters>;
	reset: () => Promise<void>;
	/** Scans the folder again and returns `main`'s commit. Files must be replaced by rename, never written in place. */
	reload: (date?: string) => Promise<string>;
	/** Replaces the faults still to happen. */
	faults: (list: FaultOrder[]) => Promise<void>;
	/** Faults at a seeded rate from now on; a rate of 0 ends them. */
	chance: (chance: Chance) => Promise<void>;
	stop: () => Promise<void>;
}

function flags(options: Partial<Omit<HubOptions, "stdin">>): string[] {
	return Object.entries(options).flatMap(([name, value]) => {
		const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
		if (value === null || value === false) return [];
		return value === true ? [flag] : [flag, String(value)];
	});
}

/** Starts a Hub that serves `folder`; it ends with `stop`, or when this process ends. */
export async function startHub(folder: string, options: Partial<Omit<HubOptions, "stdin">> = {}): Promise<HubHandle> {
	const program = join(import.meta.dirname, "main.js");
	const child = spawn(process.execPath, [program, folder, "--stdin", ...flags(options)], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	const exited = once(child, "exit");
	const lines = createInterface({ input: child.stdout });
	const first = await Promise.race([once(lines, "line"), exited.then(() => null)]);
	if (first === null || child.pid === undefined) throw new Error(`the Hub did not start: exit code ${child.exitCode}`);
	const ready = readyLine.parse(JSON.parse(String(first[0])));

	const call = async (path: string, body?: unknown): Promise<unknown> => {
		const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
		const response = await fetch(`${ready.endpoint}/_test/${path}`, init);
		if (!response.ok) throw new Error(`/_test/${path} answered ${response.status}: ${await response.text()}`);
		return response.json();
	};
	return {
		...ready,
		pid: child.pid,
		// Both ends are compiled from the same type.
		counters: async () => (await call("counters")) as Counters,
		reset: async () => void (await call("counters/reset", {})),
		reload: async (date) => z.object({ commit: z.string() }).parse(await call("reload", date ? { date } : {})).commit,
		faults: async (list) => void (await call("faults", list)),
		chance: async (chance) => void (await call("chance", chance)),
		stop: async () => {
			child.kill("SIGTERM");
			await exited;
		},
	};
}
