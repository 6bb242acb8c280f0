import { cpSync, existsSync, readFileSync, renameSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { shardParts } from "../../pipelines/shards.js";
import { metadataPath } from "../../pipelines/splits.js";
import type { HubHandle } from "../tools/hub/client.js";
import { makeSample } from "../tools/sample/make.js";
import { type CliEnd, type CliProcess, runCli, startCli } from "./cli.js";
import { type Fault, faultEnv } from "./fault.js";
import { type ServedSample, serveSample } from "./served-sample.js";

export interface WorldOptions {
	shards: string[];
	/** Images a shard. */
	images: number;
	/** Side of the pictures. */
	size: number;
	/** Of each download; no limit where absent. */
	bytesPerSecond?: number;
	/** Whether an image of one shard is empty, so that a row goes to quarantine; needs 21 images a shard. */
	defect?: boolean;
	/** Entries in one page of the Hub's tree. */
	pageSize?: number;
}

/** How one mirror is run. */
export interface MirrorOptions {
	shards?: string[];
	concurrency?: number;
	fault?: Fault;
	args?: string[];
	env?: NodeJS.ProcessEnv;
	/** A command that runs the mirror, with its own options. */
	before?: readonly string[];
}

const EMPTY_IMAGE = { code: "IMAGE_EMPTY", shard: null, variant: null } as const;

/** A source that the test Hub serves, and room for lakes made from it. */
export class World {
	readonly hub: HubHandle;
	readonly source: string;
	readonly #served: ServedSample;
	readonly #options: WorldOptions;
	readonly #commands: CliProcess[] = [];
	#names = 0;

	constructor(served: ServedSample, options: WorldOptions) {
		this.hub = served.hub;
		this.source = served.source;
		this.#served = served;
		this.#options = options;
	}

	static async open(name: string, options: WorldOptions): Promise<World> {
		const { shards, images, size, bytesPerSecond = null, defect = false, pageSize = 1000 } = options;
		const sample = { shards, images, size, defect: defect ? EMPTY_IMAGE : null };
		return new World(await serveSample(name, sample, { bytesPerSecond, pageSize }), options);
	}

	/** Ends what a failed test may have left, too. */
	async close(): Promise<void> {
		for (const { child, kill } of this.#commands)
			if (child.exitCode === null && child.signalCode === null) kill("SIGKILL");
		await this.#served.close();
	}

	/** A path that nothing has yet. */
	fresh(name: string): string {
		this.#names += 1;
		return join(this.#served.path, `${name}-${this.#names}`);
	}

	/** A lake, not there yet, and a scratch folder of its own beside it. */
	lake(name: string): Lake {
		return new Lake(this, this.fresh(name), this.fresh(`${name}-scratch`));
	}

	/** Replaces a split by other pictures and rows at the source, as a new commit. The split's shards must all be known. */
	async change(split: "train" | "validation" | "test", seed: number): Promise<void> {
		const shards = this.#options.shards.filter((shard) => shardParts(shard).split === split);
		const { images, size } = this.#options;
		const other = this.fresh("other");
		await makeSample(other, { shards, images, size, seed });
		const paths = [...shards.map((shard) => imageRewardDb.layout.zipPath(shard)), metadataPath(imageRewardDb, split)];
		for (const path of paths) renameSync(join(other, path), join(this.source, path));
		await this.hub.reload();
	}

	/** Starts a command that ends with the world at the latest. */
	async start(args: string[], env: NodeJS.ProcessEnv, root?: string, before?: readonly string[]): Promise<CliProcess> {
		const command = await startCli(args, env, root, before);
		this.#commands.push(command);
		return command;
	}

	get shards(): string[] {
		return this.#options.shards;
	}
}

/** A lake's folder and its scratch folder. */
export class Lake {
	readonly world: World;
	readonly path: string;
	readonly scratch: string;

	constructor(world: World, path: string, scratch: string) {
		this.world = world;
		this.path = path;
		this.scratch = scratch;
	}

	/** A copy, scratch folder included. */
	copy(name: string): Lake {
		const copy = this.world.lake(name);
		cpSync(this.path, copy.path, { recursive: true });
		cpSync(this.scratch, copy.scratch, { recursive: true });
		return copy;
	}

	/** Another place, with this scratch folder. */
	at(path: string): Lake {
		return new Lake(this.world, path, this.scratch);
	}

	/** The same lake for another process, with a scratch folder of its own. */
	beside(): Lake {
		return new Lake(this.world, this.path, this.world.fresh("scratch"));
	}

	start(options: MirrorOptions = {}): Promise<CliProcess> {
		return this.world.start(this.#args(options), this.#env(options), undefined, options.before);
	}

	async mirror(options: MirrorOptions = {}): Promise<CliEnd> {
		return (await this.start(options)).ended;
	}

	verify(): Promise<CliEnd> {
		return runCli(["verify", "--lake", this.path, "--scratch", this.scratch, "--json"]);
	}

	#args({ shards = this.world.shards, concurrency = 2, args = [] }: MirrorOptions): string[] {
		const where = ["--lake", this.path, "--scratch", this.scratch, "--shards", shards.join(",")];
		return ["mirror", ...where, "--concurrency", String(concurrency), "--json", ...args];
	}

	#env({ fault, env }: MirrorOptions): NodeJS.ProcessEnv {
		return { HF_ENDPOINT: this.world.hub.endpoint, LOG_LEVEL: "warn", ...(fault ? faultEnv(fault) : {}), ...env };
	}
}

/** Resolves when the file is there. Rejects when the command ends first. */
export async function appeared(file: string, command: CliProcess): Promise<void> {
	const watcher = watch(dirname(file));
	const tooEarly = command.ended.then(({ code, signal, stderr }) => {
		throw new Error(`irlake ended too early, with ${code ?? signal}: ${stderr}`);
	});
	const there = new Promise<void>((resolve) => {
		watcher.on("change", () => existsSync(file) && resolve());
		if (existsSync(file)) resolve();
	});
	try {
		await Promise.race([there, tooEarly]);
	} finally {
		watcher.close();
	}
}

/** State of a process, the third field of `/proc/<pid>/stat`; null when there is no such process. */
export function processState(pid: number): string | null {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return stat.charAt(stat.lastIndexOf(")") + 2);
	} catch {
		return null;
	}
}

/** Resolves when the process is in one of these states (`null`: gone). The system has no event for it. */
export async function inState(pid: number, states: (string | null)[]): Promise<void> {
	const deadline = performance.now() + 30_000;
	while (!states.includes(processState(pid))) {
		if (performance.now() > deadline) throw new Error(`process ${pid} is in state ${processState(pid)}`);
		await setTimeout(5);
	}
}

/** Runs `work` on every item, two at once; all of it is over when it returns or throws. */
export async function twoAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
	const queue = items.values();
	const lane = async (): Promise<void> => {
		for (const item of queue) {
			await work(item).catch((cause: unknown) => {
				throw new Error(`${JSON.stringify(item)}: ${cause instanceof Error ? cause.message : cause}`, { cause });
			});
		}
	};
	const ends = await Promise.allSettled([lane(), lane()]);
	for (const end of ends) if (end.status === "rejected") throw end.reason;
}
