/**
 * Loaded into a command before its own code (`node --import`): makes one call of the file system fail, or stops or
 * kills the process there, as `IRLAKE_FAULT` says. The command itself knows nothing of it.
 */

import childProcess, { type ForkOptions } from "node:child_process";
import fs, { type MakeDirectoryOptions, type PathLike } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isMainThread, threadId } from "node:worker_threads";
import type { Fault, FaultOp } from "./fault.js";

/** The image host gets nothing of the environment but what it is given; this hands the fault on. */
function patchFork(fault: string): void {
	const fork = childProcess.fork;
	const patched = (path: string | URL, args: readonly string[], options: ForkOptions) =>
		fork(path, args, {
			...options,
			execArgv: [...(options.execArgv ?? []), `--import=${import.meta.url}`],
			env: { ...options.env, IRLAKE_FAULT: fault, IRLAKE_FAULT_HOST: "1" },
		});
	Object.assign(childProcess, { fork: patched });
	syncBuiltinESMExports();
}

/** Paths of open files, by descriptor. */
const paths = new Map<number, string>();

function patchFiles(fault: Fault): void {
	const trap = new Trap(fault);
	patchPromises(trap);
	patchSync(trap);
	syncBuiltinESMExports();
}

function patchPromises(trap: Trap): void {
	const { link, rename, mkdir, open, unlink } = fs.promises;
	Object.assign(fs.promises, {
		link: (...args: Parameters<typeof link>) => trap.run("link", args.slice(0, 2), () => link(...args)),
		rename: (...args: Parameters<typeof rename>) => trap.run("rename", args, () => rename(...args)),
		unlink: (path: PathLike) => trap.run("unlink", [path], () => unlink(path)),
		mkdir: (...args: Parameters<typeof mkdir>) => trap.run("mkdir", args.slice(0, 1), () => mkdir(...args)),
		open: async (...args: Parameters<typeof open>) => {
			const handle = await trap.run("open", args.slice(0, 1), () => open(...args));
			paths.set(handle.fd, pathText(args[0]));
			return watchHandle(handle, String(args[0]), trap);
		},
	});
}

function patchSync(trap: Trap): void {
	const { linkSync, renameSync, mkdirSync, openSync, writeSync, fsync, fsyncSync } = fs;
	const pathOf = (fd: number): string[] => [paths.get(fd) ?? ""];
	Object.assign(fs, {
		linkSync: (from: PathLike, to: PathLike) => trap.runSync("link", [from, to], () => linkSync(from, to)),
		renameSync: (from: PathLike, to: PathLike) => trap.runSync("rename", [from, to], () => renameSync(from, to)),
		mkdirSync: (path: PathLike, options: MakeDirectoryOptions) =>
			trap.runSync("mkdir", [path], () => mkdirSync(path, options)),
		openSync: (...args: Parameters<typeof openSync>) => {
			const fd = trap.runSync("open", args.slice(0, 1), () => openSync(...args));
			paths.set(fd, pathText(args[0]));
			return fd;
		},
		writeSync: (fd: number, content: NodeJS.ArrayBufferView, ...where: number[]) =>
			trap.runSync("write", pathOf(fd), () => writeSync(fd, content, ...where)),
		fsyncSync: (fd: number) => trap.runSync("sync", pathOf(fd), () => fsyncSync(fd)),
		fsync: (fd: number, done: (error: Error | null) => void) => {
			const call = promisify(fsync);
			trap.run("sync", pathOf(fd), () => call(fd)).then(() => done(null), done);
		},
	});
}

function watchHandle(handle: fs.promises.FileHandle, path: string, trap: Trap): fs.promises.FileHandle {
	const writeFile = handle.writeFile.bind(handle);
	const writev = handle.writev.bind(handle);
	const sync = handle.sync.bind(handle);
	return Object.assign(handle, {
		writeFile: (...args: Parameters<typeof writeFile>) => trap.run("write", [path], () => writeFile(...args)),
		writev: (...args: Parameters<typeof writev>) => trap.run("write", [path], () => writev(...args)),
		sync: () => trap.run("sync", [path], () => sync()),
	});
}

/** Counts the calls that match, and acts at the one that was asked for. */
class Trap {
	readonly #fault: Fault;
	readonly #ops: FaultOp[];
	#seen = 0;

	constructor(fault: Fault) {
		this.#fault = fault;
		this.#ops = Array.isArray(fault.op) ? fault.op : [fault.op];
	}

	async run<T>(op: FaultOp, paths: readonly unknown[], call: () => Promise<T>): Promise<T> {
		const due = this.#isDue(op, paths);
		if (due && this.#fault.when !== "after") this.#act(op, paths);
		const result = await call();
		if (due && this.#fault.when === "after") this.#act(op, paths);
		return result;
	}

	runSync<T>(op: FaultOp, paths: readonly unknown[], call: () => T): T {
		const due = this.#isDue(op, paths);
		if (due && this.#fault.when !== "after") this.#act(op, paths);
		const result = call();
		if (due && this.#fault.when === "after") this.#act(op, paths);
		return result;
	}

	#isDue(op: FaultOp, paths: readonly unknown[]): boolean {
		const { match = "", nth = 1, lasting = false } = this.#fault;
		if (!this.#ops.includes(op) || !paths.some((path) => pathText(path).includes(match))) return false;
		this.#seen += 1;
		return lasting ? this.#seen >= nth : this.#seen === nth;
	}

	#act(op: FaultOp, paths: readonly unknown[]): void {
		const { do: act, marker } = this.#fault;
		if (marker !== undefined && !mark(marker)) return;
		if (act === "kill-parent") process.kill(process.ppid, "SIGKILL");
		else if (act === "SIGKILL" || act === "SIGSTOP") process.kill(process.pid, act);
		else {
			const path = pathText(paths[0]);
			throw Object.assign(new Error(`${act}: injected, ${op} '${path}'`), { code: act, syscall: op, path });
		}
	}
}

function pathText(path: unknown): string {
	return path instanceof URL ? fileURLToPath(path) : String(path);
}

/** The functions as they were, for what the trap writes itself. */
const { writeFileSync, linkSync, rmSync } = fs;

/** Made whole at once, for whoever waits for it. False where another call made it before. */
function mark(file: string): boolean {
	const aside = `${file}.${process.pid}-${threadId}`;
	writeFileSync(aside, String(process.pid));
	try {
		linkSync(aside, file);
		return true;
	} catch {
		return false;
	} finally {
		rmSync(aside);
	}
}

const text = process.env.IRLAKE_FAULT;
const inHost = process.env.IRLAKE_FAULT_HOST === "1";
if (text !== undefined) {
	// Written by faultEnv() of the same build.
	const fault = JSON.parse(text) as Fault;
	if (!fault.host) patchFiles(fault);
	else if (inHost) {
		// Objects are staged in its threads alone.
		if (!isMainThread) patchFiles(fault);
	} else patchFork(text);
}
