import { Command, CommanderError, Option } from "commander";
import { datasets } from "../pipelines/datasets/index.js";
import type { CommandContext, CommandResult } from "./run-command.js";
import { VERSION } from "./version.js";

/** The command line. Each command's code is imported when it runs, so that `--help` answers at once. */

const flags = {
	source: new Option(
		"--source <uri>",
		"hf://owner/name@revision or file:///dir (default: hf://zai-org/ImageRewardDB@main)",
	),
	lake: new Option("--lake <place>", "a folder, or s3://bucket/prefix (default: ./lake)"),
	subset: new Option("--subset <name>", "1k, 2k, 4k or 8k (default: 8k)"),
	split: new Option("--split <name...>", "train, validation or test; several may be given"),
	shards: new Option("--shards <list>", "such as train_1,train_7-9"),
	concurrency: new Option("--concurrency <n>", "shards in flight (default: 2)"),
	scratch: new Option("--scratch <dir>", "downloads and temporary files (default: ~/.cache/irlake)"),
	image: new Option("--image <mode>", "passthrough, webp-lossless, webp, jpeg, png or avif"),
	quality: new Option("--quality <n>", "1 to 100, of webp, jpeg and avif"),
	maxSide: new Option("--max-side <pixels>", "longest side of re-encoded images"),
	verify: new Option("--verify <mode>", "decode or structure"),
	onBadImage: new Option("--on-bad-image <mode>", "drop-image or drop-group"),
	where: new Option("--where <predicate>", 'only images of which it is true, such as "overall_rating >= 6"'),
	whereMode: new Option("--where-mode <mode>", "choose by image, or whole prompts: image or prompt (default: image)"),
	onShardFailure: new Option("--on-shard-failure <mode>", "fail or skip (default: fail)"),
	maxRejectRatio: new Option("--max-reject-ratio <ratio>", "0 to 1 (default: 0.05)"),
	expect: new Option("--expect <file>", "findings that are known, as JSON: only others are told as new"),
	keepRejected: new Option("--keep-rejected", "keep the bytes of rejected images in the lake, under rejected/"),
	prune: new Option("--prune", "drop published shards outside --subset and --split"),
	newSettings: new Option("--new-settings", "let the settings differ from the lake's"),
	bandwidth: new Option("--bandwidth <rate>", "most that all downloads take together, such as 20MB or 500KB/s"),
	retries: new Option("--retries <n>", "attempts in a row that bring nothing, after the first (default: 5)"),
	retryWait: new Option("--retry-wait <seconds>", "before the first of them; doubled with each (default: 1)"),
	idleTimeout: new Option("--idle-timeout <seconds>", "silence after which a connection is given up (default: 30)"),
	allowPrivateRedirects: new Option("--allow-private-redirects", "follow the Hub to addresses of your own network"),
	singleWriter: new Option("--single-writer", "the store may lack conditional writes"),
	s3Sse: new Option("--s3-sse <kind>", "AES256, aws:kms or aws:kms:dsse: how a lake on S3 is encrypted"),
	s3SseKmsKeyId: new Option("--s3-sse-kms-key-id <id>", "the key for aws:kms"),
	rehash: new Option("--rehash", "hash a local source again, whatever is remembered"),
	json: new Option("--json", "one JSON document on stdout"),
	deep: new Option("--deep", "decode every image again"),
	repair: new Option("--repair", "fetch what is damaged from the source again"),
	queuePrefix: new Option("--queue-prefix <text>", "before every key on the queue's server (default: irlake)"),
	wait: new Option("--wait", "follow the run to its end, as mirror does"),
	grace: new Option("--grace <time>", "time to finish or hand back its shards when told to stop (default: 20s)"),
	vacuumGrace: new Option("--grace <time>", "from mark to deletion, such as 24h, 30m or 7d (default: 24h)"),
	keep: new Option("--keep <n>", "how many of the newest snapshots stay whole (default: 7)"),
	keepDays: new Option("--keep-days <n>", "snapshots of the last n days stay as well (default: 0)"),
	yes: new Option("--yes", "do it: without, it is only shown what would be done"),
	watch: new Option("--watch", "look again every two seconds, until Ctrl-C"),
	cron: new Option("--cron <pattern>", "when: minute, hour, day, month, weekday"),
	tz: new Option("--tz <zone>", "time zone of --cron, such as Europe/Berlin (default: UTC)"),
	snapshot: new Option("--snapshot <which>", "a number, a path in the lake, or latest (default: latest)"),
	out: new Option("--out <where>", "an empty or new folder, or s3://bucket/prefix"),
	pairs: new Option("--pairs <mode>", "of hf: rows names the two rows, embed holds the images (default: rows)"),
	shardSize: new Option("--shard-size <size>", "of webdataset: most bytes of a tar (default: 1GB)"),
	overwrite: new Option("--overwrite", "replace another export"),
	limit: new Option("--limit <n>", "how many of each kind are listed, 0 for all (default: 20)"),
} as const;

type Flag = keyof typeof flags;

const WHERE: Flag[] = ["source", "lake", "subset", "split", "shards", "scratch", "rehash"];
const SETTINGS: Flag[] = [
	"image",
	"quality",
	"maxSide",
	"verify",
	"onBadImage",
	"where",
	"whereMode",
	"newSettings",
	"prune",
];
const NETWORK: Flag[] = ["bandwidth", "retries", "retryWait", "idleTimeout", "allowPrivateRedirects"];
/** What the runs of a fleet have: how many shards are in flight is each worker's affair. */
const FLEET_RUN: Flag[] = [
	"onShardFailure",
	"maxRejectRatio",
	"keepRejected",
	"singleWriter",
	"s3Sse",
	"s3SseKmsKeyId",
];
const RUN: Flag[] = ["concurrency", "expect", ...FLEET_RUN];

function command(name: string, about: string, options: Flag[], examples: string[]): Command {
	const made = new Command(name).description(about);
	for (const flag of options) made.addOption(flags[flag]);
	if (name !== "worker") made.addOption(flags.json);
	const lines = examples.map((example) => `  ${example}`).join("\n");
	made.addHelpText("after", `\nExamples:\n${lines}\n`);
	return made;
}

async function run(
	name: string,
	given: Record<string, unknown>,
	work: (context: CommandContext) => Promise<CommandResult>,
): Promise<void> {
	const { runCommand } = await import("./run-command.js");
	process.exitCode = await runCommand(name, given, datasets, work);
}

function program(): Command {
	const irlake = new Command("irlake")
		.description("Mirrors ImageRewardDB from the Hugging Face Hub into a checked, queryable lake.")
		.version(VERSION)
		.addHelpText(
			"after",
			"\nEvery option is also an environment variable: --lake is IRLAKE_LAKE. Flags win.\n\nExamples:\n  irlake mirror --subset 1k --lake ./lake\n  irlake status --lake ./lake\n",
		);
	irlake.addCommand(
		command(
			"plan",
			"show what a mirror would do; writes nothing",
			[...WHERE, ...SETTINGS, ...RUN, ...NETWORK],
			[
				"irlake plan --subset 1k",
				"irlake plan --subset 1k --where 'fidelity_rating = 7' --lake ./sevens",
				"irlake plan --source file:///data/ImageRewardDB --json",
			],
		).action(async (given: Record<string, unknown>) => {
			const { plan } = await import("./commands/plan/run.js");
			await run("plan", given, plan);
		}),
	);
	irlake.addCommand(
		command(
			"mirror",
			"fetch, check and publish; run again, it finishes what is missing",
			[...WHERE, ...SETTINGS, ...RUN, ...NETWORK],
			[
				"irlake mirror --subset 1k --lake ./lake",
				"irlake mirror --shards test_1,test_2 --on-shard-failure skip",
				"irlake mirror --subset 1k --where \"classification = 'People'\" --lake ./people",
				"irlake mirror --subset 1k --where 'rank = 1' --where-mode prompt --lake ./won",
				"irlake mirror --source file:///data/ImageRewardDB --lake /lake",
				"irlake mirror --subset 1k --expect known.jsonl --keep-rejected",
				"irlake mirror --subset 1k --bandwidth 20MB --retries 50 --idle-timeout 60",
				"AWS_PROFILE=me irlake mirror --subset 1k --lake s3://bucket/imagereward",
				"AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000 irlake mirror --lake s3://b/lake",
			],
		).action(async (given: Record<string, unknown>) => {
			const { mirror } = await import("./commands/mirror/run.js");
			await run("mirror", given, mirror);
		}),
	);
	irlake.addCommand(
		command(
			"enqueue",
			"the same mirror, as jobs on the queue (REDIS_URL) for workers to do",
			[...WHERE, ...SETTINGS, ...FLEET_RUN, "expect", "queuePrefix", "wait", ...NETWORK],
			[
				"irlake enqueue --subset 1k --lake /lake",
				"irlake enqueue --subset 8k --lake /lake --wait --expect known.jsonl",
				"REDIS_URL=rediss://me:secret@queue.example:6380 irlake enqueue --wait",
			],
		).action(async (given: Record<string, unknown>) => {
			const { enqueue } = await import("./commands/enqueue/run.js");
			await run("enqueue", given, enqueue);
		}),
	);
	irlake.addCommand(
		command(
			"worker",
			"take shards from the queue (REDIS_URL) until told to stop",
			["concurrency", "grace", "scratch", "queuePrefix", ...NETWORK],
			["irlake worker --concurrency 2", "REDIS_URL=redis://queue.example:6379 irlake worker --grace 60"],
		).action(async (given: Record<string, unknown>) => {
			const { worker } = await import("./commands/worker/run.js");
			await run("worker", given, worker);
		}),
	);
	irlake.addCommand(scheduleCommands());
	irlake.addCommand(
		command(
			"status",
			"show the lake's snapshots and counts; with Redis (REDIS_URL) its runs, shards and workers",
			["lake", "queuePrefix", "watch"],
			["irlake status --lake ./lake", "irlake status --watch", "irlake status --json | jq .runs"],
		).action(async (given: Record<string, unknown>) => {
			const { status } = await import("./commands/status/run.js");
			await run("status", given, status);
		}),
	);
	irlake.addCommand(
		command(
			"verify",
			"audit a lake against its own records; --repair makes it whole again",
			["lake", "scratch", "deep", "repair", "source", "rehash", "s3Sse", "s3SseKmsKeyId", ...NETWORK],
			[
				"irlake verify --lake ./lake",
				"irlake verify --lake ./lake --deep --json",
				"irlake verify --lake ./lake --repair",
				"irlake verify --repair --source hf://zai-org/ImageRewardDB",
			],
		).action(async (given: Record<string, unknown>) => {
			const { verify } = await import("./commands/verify/run.js");
			await run("verify", given, verify);
		}),
	);
	irlake.addCommand(
		command(
			"diff",
			"show what differs between two snapshots, or a snapshot and the source",
			[...WHERE, "limit", ...NETWORK],
			[
				"irlake diff 1 latest --lake ./lake",
				"irlake diff latest source --subset 1k --lake ./lake",
				"irlake diff source latest --subset 1k --limit 0 --json",
			],
		)
			.argument("<before>", "a snapshot's number or path, latest, or source")
			.argument("<after>", "the same")
			.action(async (before: string, after: string, given: Record<string, unknown>) => {
				const { diff } = await import("./commands/diff/run.js");
				await run("diff", given, (context) => diff(context, before, after));
			}),
	);
	irlake.addCommand(
		command(
			"rollback",
			"publish a new snapshot with the content of snapshot N",
			["lake", "singleWriter", "s3Sse", "s3SseKmsKeyId"],
			["irlake rollback 3 --lake ./lake"],
		)
			.argument("<number>", "the snapshot's number")
			.action(async (number: string, given: Record<string, unknown>) => {
				const { rollback } = await import("./commands/rollback/run.js");
				await run("rollback", given, (context) => rollback(context, number));
			}),
	);
	irlake.addCommand(
		command(
			"vacuum",
			"delete what no retained snapshot needs: marks it now, deletes it a grace time later",
			["lake", "keep", "keepDays", "vacuumGrace", "yes", "scratch", "singleWriter", "s3Sse", "s3SseKmsKeyId"],
			[
				"irlake vacuum --lake ./lake",
				"irlake vacuum --lake ./lake --keep 3 --keep-days 30 --yes",
				"irlake mirror --lake s3://b/lake; irlake vacuum --lake s3://b/lake --yes",
			],
		).action(async (given: Record<string, unknown>) => {
			const { vacuum } = await import("./commands/vacuum/run.js");
			await run("vacuum", given, vacuum);
		}),
	);
	irlake.addCommand(
		command(
			"export",
			"write a snapshot for other tools: hf, webdataset, imagereward or files",
			["lake", "out", "snapshot", "subset", "split", "shards", "pairs", "shardSize", "overwrite", "scratch"],
			[
				"irlake export hf --out ./hub-repo",
				"irlake export hf --out ./test-pairs --pairs embed --split test",
				"irlake export webdataset --out ./tars --shard-size 500MB",
				"irlake export imagereward --out ./training --subset 1k",
				"irlake export files --out ./unpacked --snapshot 1",
			],
		)
			.argument("<format>", "hf, webdataset, imagereward or files")
			.action(async (format: string, given: Record<string, unknown>) => {
				const { exportLake } = await import("./commands/export/run.js");
				await run("export", given, (context) => exportLake(context, format));
			}),
	);
	irlake.addCommand(
		command(
			"doctor",
			"check source, lake, disk, memory and versions, and say how to mend each",
			[
				"source",
				"lake",
				"subset",
				"split",
				"shards",
				"scratch",
				"concurrency",
				"singleWriter",
				"allowPrivateRedirects",
				"s3Sse",
				"s3SseKmsKeyId",
			],
			["irlake doctor --subset 1k", "irlake doctor --source file:///data/ImageRewardDB --lake /lake --json"],
		).action(async (given: Record<string, unknown>) => {
			const { doctor } = await import("./commands/doctor/run.js");
			await run("doctor", given, doctor);
		}),
	);
	return irlake;
}

function scheduleCommands(): Command {
	const schedule = new Command("schedule").description("recurring mirrors, done by the queue's workers");
	const mirror: Flag[] = [...WHERE, ...SETTINGS, ...FLEET_RUN];
	schedule.addCommand(
		command(
			"set",
			"mirror at recurring times; set twice, it stays as it is",
			["cron", "tz", ...mirror, "queuePrefix"],
			["irlake schedule set nightly --cron '0 3 * * *' --tz Europe/Berlin --lake /lake"],
		)
			.argument("<name>", "what to call it")
			.action(async (name: string, given: Record<string, unknown>) => {
				const { scheduleSet } = await import("./commands/schedule/run.js");
				await run("schedule", given, (context) => scheduleSet(context, name));
			}),
	);
	schedule.addCommand(
		command("list", "show the schedules", ["queuePrefix"], ["irlake schedule list"]).action(
			async (given: Record<string, unknown>) => {
				const { scheduleList } = await import("./commands/schedule/run.js");
				await run("schedule", given, scheduleList);
			},
		),
	);
	schedule.addCommand(
		command("remove", "end a schedule", ["queuePrefix"], ["irlake schedule remove nightly"])
			.argument("<name>", "the schedule")
			.action(async (name: string, given: Record<string, unknown>) => {
				const { scheduleRemove } = await import("./commands/schedule/run.js");
				await run("schedule", given, (context) => scheduleRemove(context, name));
			}),
	);
	return schedule;
}

/** Commander's own words for a wrong call go to stderr, and into the document where one is asked for. */
async function main(): Promise<void> {
	// Who reads along may stop before the end, as `| head` does: the work goes on, and ends as it would have.
	for (const stream of [process.stdout, process.stderr]) {
		stream.on("error", (error: NodeJS.ErrnoException) => {
			if (error.code !== "EPIPE") throw error;
		});
	}
	const irlake = program();
	for (const one of irlake.commands.flatMap((command) => [irlake, command, ...command.commands])) {
		one.exitOverride().configureOutput({ writeErr: () => {} });
	}
	try {
		await irlake.parseAsync();
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		process.exitCode = error.exitCode === 0 ? 0 : await wrongCall(irlake, error);
	}
}

async function wrongCall(irlake: Command, error: CommanderError): Promise<number> {
	if (error.code === "commander.help") {
		process.stderr.write(irlake.helpInformation());
		return 2;
	}
	const [{ aboutCode }, { LakeError }, { asksForDocument, reportFailure }] = await Promise.all([
		import("../schemas/codes.js"),
		import("../schemas/errors.js"),
		import("./run-command.js"),
	]);
	// A second line, where there is one, asks whether something like it was meant.
	const [message = "", meant] = error.message.replace(/^error: /, "").split("\n");
	const name = irlake.commands.map((one) => one.name()).find((one) => one === process.argv[2]) ?? "";
	const help = aboutCode("USAGE").todo;
	const hint = meant ? `${meant.replace(/^\((.*)\)$/, "$1")} ${help}` : help;
	const json = asksForDocument(process.argv.includes("--json"), process.env);
	return reportFailure(new LakeError("USAGE", message, { hint }), { name, json, log: null, seconds: 0 });
}

await main();
