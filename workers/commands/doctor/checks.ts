import { availableParallelism } from "node:os";
import { clockVerdict, tokenVerdict } from "../../../pipelines/doctor/access.js";
import type { Check } from "../../../pipelines/doctor/check.js";
import { raceWriters, tryFolder, tryStore } from "../../../pipelines/doctor/lake-writes.js";
import {
	type DiskSpace,
	diskNeed,
	diskVerdict,
	memoryVerdict,
	nodeVerdict,
} from "../../../pipelines/doctor/resources.js";
import { sourceVerdict } from "../../../pipelines/doctor/source.js";
import { failed, ok, skipped, type Verdict, warn } from "../../../pipelines/doctor/verdict.js";
import type { StoreProbe } from "../../../pipelines/ports/store.js";
import { diskOf } from "../../../pipelines/scratch/disk.js";
import { LakeError } from "../../../schemas/errors.js";
import { parseSource } from "../../addresses.js";
import { scratchFolder } from "../../options.js";
import { requireScratch } from "../../preflight.js";
import { countedText, sizeText } from "../../report/format.js";
import { NODE_VERSIONS, VERSION } from "../../version.js";
import * as wire from "../../wire.js";
import type { DoctorFacts } from "./facts.js";
import { checkRedis } from "./redis.js";

/** What `irlake doctor` looks at, in the order it is shown. A check more is a function more, and a line in `doctorChecks`. */

/** Most zips that lie in scratch: those in flight, and one that is downloaded meanwhile. */
const DOWNLOADED_AHEAD = 1;

export function doctorChecks(facts: DoctorFacts): Check[] {
	const { options, env, wanted } = facts;
	const check = (name: string, run: Check["run"]): Check => ({ name, run });
	return [
		check("source", async () => sourceVerdict(await facts.survey(), wanted, sizeText)),
		check("token", () => checkToken(facts)),
		check("source_clock", () => checkSourceClock(facts)),
		check("lake", () => checkLake(facts)),
		check("lake_writes", () => withProbe(facts, tryWrites)),
		check("lake_conditions", () => withProbe(facts, (room) => tryConditions(room, options.single_writer))),
		check("lake_clock", () => withProbe(facts, tryClock)),
		check("lake_disk", async () => checkDisk(facts, "lake")),
		check("scratch_disk", async () => {
			await requireScratch(options, env);
			return checkDisk(facts, "scratch");
		}),
		check("redis", () => checkRedis(env)),
		check("memory", async () => memoryVerdict(process.availableMemory(), availableParallelism(), sizeText)),
		check("irlake", async () => ok(VERSION)),
		check("node", async () => nodeVerdict(process.version, NODE_VERSIONS)),
		check("duckdb", () => checkPackage("DuckDB", wire.duckdbVersion)),
		check("sharp", () => checkPackage("sharp", wire.codecVersion)),
	];
}

async function checkToken({ sourceUri, env, reply }: DoctorFacts): Promise<Verdict> {
	const found = await wire.findToken(sourceUri, env);
	return found === null ? skipped("the source is a folder") : tokenVerdict(found, await reply());
}

async function checkSourceClock({ sourceUri, env, reply }: DoctorFacts): Promise<Verdict> {
	if ((await wire.findToken(sourceUri, env)) === null) return skipped("the source is a folder");
	const { date, at, error } = await reply();
	return error === null ? clockVerdict("the Hub", date, at) : skipped("the Hub gave no good answer");
}

async function checkLake({ options, snapshot }: DoctorFacts): Promise<Verdict> {
	const latest = await snapshot();
	if (latest === null) return ok(`${options.lake}: nothing published yet`);
	const { number, counts } = latest.snapshot;
	return ok(`${options.lake}: snapshot ${number}, ${countedText(counts.shards, "shard")}`);
}

/** The first of the checks that write says why nothing can be tried; the others do not repeat it. */
async function withProbe(facts: DoctorFacts, work: (room: StoreProbe) => Promise<Verdict>): Promise<Verdict> {
	let opened: StoreProbe;
	try {
		opened = await facts.probe();
	} catch (error) {
		if (!(error instanceof LakeError)) throw error;
		if (error.code === "LAKE_NOT_A_LAKE") return skipped("not tried: it is no lake");
		if (work === tryWrites) throw error;
		return skipped("the lake cannot be written to");
	}
	return facts.use(work(opened));
}

async function tryWrites(room: StoreProbe): Promise<Verdict> {
	if (room.folder !== null) await tryFolder(room.folder);
	await tryStore(await room.open());
	return ok(room.folder === null ? "write, read, list" : "write, sync, rename, link, delete");
}

async function tryConditions(room: StoreProbe, singleWriter: boolean): Promise<Verdict> {
	const wrong = await raceWriters(await room.open(), await room.open());
	if (wrong === null) return ok("of two simultaneous conditional writes, one succeeds");
	const detail = `Conditional writes do not hold: ${wrong}.`;
	if (singleWriter) return warn(detail, "See to it that one mirror at a time writes to this lake.");
	return failed(detail, "Use another server, or --single-writer with one mirror at a time.");
}

async function tryClock(room: StoreProbe): Promise<Verdict> {
	const before = Date.now();
	const theirs = await room.now();
	return clockVerdict("the lake's storage", theirs, new Date((before + Date.now()) / 2));
}

/** Sizes are the source's own where it could be asked, else those of the dataset at large. */
async function checkDisk(facts: DoctorFacts, what: "lake" | "scratch"): Promise<Verdict> {
	const { options, env, sourceUri, wanted } = facts;
	const [survey, latest] = await Promise.all([facts.survey().catch(() => null), facts.snapshot().catch(() => null)]);
	const present = new Set(latest?.snapshot.shards.map(({ shard }) => shard));
	const zips = parseSource(sourceUri).kind === "folder" ? 0 : options.concurrency + DOWNLOADED_AHEAD;
	const need = diskNeed(survey, wanted, present, zips);
	const folders = { lake: facts.lakeFolder, scratch: scratchFolder(options, env) };
	const folder = folders[what];
	if (folder === null) return skipped("the lake is in object storage");
	const other = what === "lake" ? "scratch" : "lake";
	const [own, beside] = await Promise.all([diskOf(folder), folders[other] ? diskOf(folders[other]) : null]);
	const room: DiskSpace = {
		what,
		folder,
		free: own.free,
		need: need[what],
		beside: own.device === beside?.device ? need[other] : 0,
	};
	return diskVerdict(room, need.known, sizeText);
}

async function checkPackage(name: string, version: () => Promise<string>): Promise<Verdict> {
	try {
		return ok(await version());
	} catch {
		return failed(`${name} does not load on this machine.`, "Run npm ci again, on the machine where it will run.");
	}
}
