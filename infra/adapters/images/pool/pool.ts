import { availableParallelism } from "node:os";
import type { ImageFinding, ImagePool, ImageResult, ImageTask } from "../../../../pipelines/ports/images.js";
import type { Progress } from "../../../../pipelines/ports/run.js";
import { LakeError } from "../../../../schemas/errors.js";
import type { Settings } from "../../../../schemas/settings.js";
import { AbortListeners } from "./abort-listeners.js";
import { type HostExit, HostProcess } from "./host-process.js";
import type { Answer } from "./messages.js";
import type { StageOptions } from "./options.js";
import { receiveError } from "./sent-error.js";

export interface ImagePoolOptions {
	/** Default: one for each core. */
	threads?: number;
	/** Where the objects of good images are staged; null if nothing is kept. */
	stage: StageOptions;
	/** Called before sending an image that is to be staged. */
	beginStaging?: () => void;
	/** Memory for the pixels of all threads. Default 320 MB. */
	budgetBytes?: number;
	/** Called when a host is ready, and when one died. */
	note?: Progress["note"];
}

/** Tasks at the host for each thread: eight waiting or being decoded, 64 being written, the rest answered. */
const TASKS_PER_THREAD = 96;
const DEFAULT_BUDGET = 320_000_000;
const SILENCE_MS = 10 * 60 * 1000;
const MAX_STARTS = 3;
/** How often a host may be killed from outside under a single task before the task is taken for the cause. */
const MAX_KILLS = 3;
/** Signals sent by a person, a supervisor or the kernel's OOM killer, not by a crash. */
const FROM_OUTSIDE = new Set<NodeJS.Signals | null>(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]);

const CRASHED: ImageFinding = { code: "IMAGE_UNDECODABLE", detail: "The picture made its decoder crash." };

interface Ticket {
	id: number;
	task: ImageTask;
	settings: Settings;
	careful: boolean;
	/** It crashed every decoder; only its hashes are still wanted. */
	convicted: boolean;
	kills: number;
	finish: (outcome: ImageResult | Error) => void;
}

/**
 * Starts the image host immediately, so that it is ready for the first task, and again whenever it dies. Tasks in flight
 * are then repeated one at a time to find the one that crashes its decoder. That one is tried once more by the arbiter
 * alone, and is IMAGE_UNDECODABLE if that crashes, too.
 *
 * `run` rejects with the signal's reason; with NO_SPACE, LAKE_UNWRITABLE and the like where reading or staging failed;
 * with IMAGE_HOST_FAILED when the host cannot be started three times in a row.
 */
export function createImagePool(options: ImagePoolOptions): ImagePool {
	return new Pool(options);
}

class Pool implements ImagePool {
	readonly #options: ImagePoolOptions;
	readonly #threads: number;
	/** Not sent to the host yet; in call order. */
	readonly #queue = new Set<Ticket>();
	/** Run one at a time, before the queue. */
	#suspects: Ticket[] = [];
	readonly #running = new Map<number, Ticket>();
	/** The suspect that is running. */
	#alone: Ticket | null = null;
	#host: HostProcess | null = null;
	readonly #abortListeners = new AbortListeners();
	#failedStarts = 0;
	#lastId = 0;
	#closed = false;

	constructor(options: ImagePoolOptions) {
		this.#options = options;
		this.#threads = options.threads ?? availableParallelism();
		this.#start();
	}

	run(task: ImageTask, settings: Settings, signal: AbortSignal): Promise<ImageResult> {
		return new Promise((resolve, reject) => {
			if (signal.aborted) return reject(signal.reason);
			if (this.#closed) return reject(new LakeError("INTERNAL", "An image was sent to a pool that is closed."));
			this.#options.beginStaging?.();
			this.#lastId += 1;
			const ticket: Ticket = { id: this.#lastId, task, settings, careful: false, convicted: false, kills: 0, finish };
			const cancel = this.#abortListeners.on(signal, () => {
				this.#forget(ticket);
				reject(signal.reason);
			});
			function finish(outcome: ImageResult | Error): void {
				cancel();
				if (outcome instanceof Error) reject(outcome);
				else resolve(outcome);
			}
			this.#queue.add(ticket);
			this.#pump();
		});
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#host?.kill();
		this.#failAll(new LakeError("INTERNAL", "The image pool was closed before its work was done."));
	}

	/** A task at the host stays there; its answer is ignored. */
	#forget(ticket: Ticket): void {
		this.#queue.delete(ticket);
		this.#suspects = this.#suspects.filter((other) => other !== ticket);
	}

	#pump(): void {
		if (this.#closed || this.#queue.size + this.#suspects.length === 0) return;
		if (this.#host === null) this.#start();
		else if (this.#host.ready && this.#alone === null) this.#send(this.#host);
	}

	#send(host: HostProcess): void {
		const tickets = this.#next();
		if (tickets.length === 0) return;
		for (const ticket of tickets) this.#running.set(ticket.id, ticket);
		host.expect(true);
		host.send(tickets.map(({ id, task, settings, careful }) => ({ id, task, settings, careful })));
	}

	#next(): Ticket[] {
		const suspect = this.#suspects[0];
		if (suspect !== undefined) {
			if (this.#running.size > 0) return [];
			this.#suspects.shift();
			this.#alone = suspect;
			return [suspect];
		}
		const tickets: Ticket[] = [];
		let free = this.#threads * TASKS_PER_THREAD - this.#running.size;
		for (const ticket of this.#queue) {
			if (free === 0) break;
			free -= 1;
			this.#queue.delete(ticket);
			tickets.push(ticket);
		}
		return tickets;
	}

	#start(): void {
		const { stage, budgetBytes = DEFAULT_BUDGET } = this.#options;
		this.#host = new HostProcess({ threads: this.#threads, budgetBytes, stage }, SILENCE_MS, {
			ready: () => {
				this.#failedStarts = 0;
				this.#host?.expect(false);
				this.#options.note?.("info", "the image host is ready", { threads: this.#threads });
				this.#pump();
			},
			answers: (answers) => {
				for (const answer of answers) this.#answer(answer);
				if (this.#running.size === 0) this.#host?.expect(false);
				this.#pump();
			},
			exited: (exit) => this.#exited(exit),
			line: (line) => this.#options.note?.("warn", "the image host reports", { line }),
		});
	}

	#answer(answer: Answer): void {
		const ticket = this.#running.get(answer.id);
		if (ticket === undefined) return;
		this.#running.delete(answer.id);
		if (this.#alone === ticket) this.#alone = null;
		if ("error" in answer) ticket.finish(receiveError(answer.error));
		else ticket.finish(ticket.convicted ? convict(answer.result) : answer.result);
	}

	#exited(exit: HostExit): void {
		this.#host = null;
		if (this.#closed) return;
		const { code, signal, hung } = exit;
		this.#options.note?.("warn", "the image host died and is started again", { code, signal, hung });
		if (!exit.wasReady) {
			this.#failedStarts += 1;
			if (this.#failedStarts === MAX_STARTS) {
				this.#failedStarts = 0;
				const message = `The process that decodes images could not be started, ${MAX_STARTS} times in a row.`;
				this.#failAll(new LakeError("IMAGE_HOST_FAILED", message));
			}
		}
		const casualties = [...this.#running.values()];
		this.#running.clear();
		const alone = this.#alone;
		this.#alone = null;
		if (alone !== null) this.#isolate(alone, exit);
		else this.#suspects.push(...casualties);
		this.#pump();
	}

	/** Decides what to try next after the host died with a single task. */
	#isolate(ticket: Ticket, exit: HostExit): void {
		const fromOutside = FROM_OUTSIDE.has(exit.signal) && !exit.hung;
		if (fromOutside) ticket.kills += 1;
		if (fromOutside && ticket.kills < MAX_KILLS) {
			this.#suspects.unshift(ticket);
		} else if (ticket.task.check === "hash") {
			ticket.finish(
				ticket.convicted
					? convict({ bytes: null, sha256: null, crc32: null, reject: null, warnings: [], image: null })
					: new LakeError("IMAGE_HOST_FAILED", "The process that decodes images died while it read a member."),
			);
		} else {
			if (ticket.careful) {
				ticket.convicted = true;
				ticket.task = { ...ticket.task, check: "hash" };
			}
			ticket.careful = true;
			ticket.kills = 0;
			this.#suspects.unshift(ticket);
		}
	}

	#failAll(error: LakeError): void {
		const tickets = [...this.#suspects, ...this.#running.values(), ...this.#queue];
		this.#suspects = [];
		this.#alone = null;
		this.#running.clear();
		this.#queue.clear();
		for (const ticket of tickets) ticket.finish(error);
	}
}

/** The verdict on a picture that crashed its decoders; a member that cannot be read keeps its own code. */
function convict(result: ImageResult): ImageResult {
	return { ...result, reject: result.reject ?? CRASHED, warnings: [], image: null };
}
