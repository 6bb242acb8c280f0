import { readdirSync, readFileSync } from "node:fs";

/** Memory of a process tree, as the kernel divides shared pages: the sum of PSS. Linux only. */

/** The file's text; empty when the process has ended meanwhile. */
function procText(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

/** Every process below `root`, itself included. */
export function processTree(root: number): number[] {
	const children = new Map<number, number[]>();
	for (const name of readdirSync("/proc")) {
		if (!/^\d+$/.test(name)) continue;
		// The command's name, in parentheses, may hold anything; the fields after it are state and parent.
		const stat = procText(`/proc/${name}/stat`);
		const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
		children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
	}
	const tree = [root];
	for (const pid of tree) tree.push(...(children.get(pid) ?? []));
	return tree;
}

/** Summed PSS in bytes of the process and all below it. */
export function treePss(root: number): number {
	let sum = 0;
	for (const pid of processTree(root)) {
		const match = /^Pss:\s+(\d+) kB$/m.exec(procText(`/proc/${pid}/smaps_rollup`));
		sum += Number(match?.[1] ?? 0) * 1024;
	}
	return sum;
}

export interface PssPeak {
	peakBytes: number;
	samples: number;
}

/** Samples a process tree until stopped; a timer that keeps no process alive. */
export function watchPss(pid: number, everyMs: number): { stop(): PssPeak } {
	const peak: PssPeak = { peakBytes: 0, samples: 0 };
	const sample = () => {
		peak.peakBytes = Math.max(peak.peakBytes, treePss(pid));
		peak.samples += 1;
	};
	sample();
	const timer = setInterval(sample, everyMs).unref();
	return {
		stop() {
			clearInterval(timer);
			return peak;
		},
	};
}
