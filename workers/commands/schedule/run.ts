import { LakeError } from "../../../schemas/errors.js";
import { JOB_FORMAT, TickJob } from "../../../schemas/jobs.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { MirrorOptions, QueueOptions } from "../../command-line/options.js";
import { scheduleDocument, schedulesText } from "../../fleet/fleet-status.js";
import { FleetQueue, requireCron } from "../../fleet/queue.js";
import { runRequest } from "../../fleet/request.js";
import { requirePredicate } from "../../preflight.js";
import { claimLake } from "../../run/mirror-steps.js";
import { Session } from "../../session.js";
import { openQueue } from "../../wire.js";

type Options = MirrorOptions & QueueOptions & { cron: string | undefined; tz: string | undefined };

/** `irlake schedule set NAME`: a mirror at recurring times. Set twice, it stays as it is. */
export async function scheduleSet(context: CommandContext<Options>, name: string): Promise<CommandResult> {
	const { options, datasets, say } = context;
	const cron = options.cron?.trim().replace(/\s+/g, " ");
	if (cron === undefined) throw new LakeError("USAGE", "A schedule needs --cron, such as '0 3 * * *'.");
	const tz = requireZone(options.tz ?? "UTC");
	requireCron(cron, tz);
	requireName(name);
	await using session = await Session.open(context);
	const { store } = session;
	const request = runRequest(options, session.dataset, datasets);
	await requirePredicate(options, session.dataset);
	await store.requireLake();
	return await withQueue(context, async (queue) => {
		const lakeId = await claimLake(store);
		const changed = await queue.setSchedule(cron, tz, { format: JOB_FORMAT, schedule: name, lake_id: lakeId, request });
		const present = (await queue.schedules()).filter((schedule) => schedule.name === name);
		say(changed ? `schedule ${name} is set` : `schedule ${name} was set so already`);
		say(schedulesText(present));
		return { exit: 0, document: { state: changed ? "set" : "unchanged", schedules: present.map(scheduleDocument) } };
	});
}

/** `irlake schedule list` */
export async function scheduleList(context: CommandContext<QueueOptions>): Promise<CommandResult> {
	return withQueue(context, async (queue) => {
		const all = await queue.schedules();
		context.say(all.length === 0 ? "no schedule" : schedulesText(all));
		return { exit: 0, document: { state: "listed", schedules: all.map(scheduleDocument) } };
	});
}

/** `irlake schedule remove NAME`: what it began goes on; nothing new begins. */
export async function scheduleRemove(context: CommandContext<QueueOptions>, name: string): Promise<CommandResult> {
	requireName(name);
	return withQueue(context, async (queue) => {
		if (!(await queue.removeSchedule(name))) throw new LakeError("SCHEDULE_NOT_FOUND", `There is no schedule ${name}.`);
		context.say(`schedule ${name} is removed`);
		return { exit: 0, document: { state: "removed", schedules: [] } };
	});
}

function requireName(name: string): void {
	if (TickJob.shape.schedule.safeParse(name).success) return;
	throw new LakeError(
		"USAGE",
		`A schedule cannot be called ${JSON.stringify(name)}: give lower case, digits, - and _.`,
	);
}

function requireZone(tz: string): string {
	try {
		new Intl.DateTimeFormat("en", { timeZone: tz });
		return tz;
	} catch {
		throw new LakeError("USAGE", `--tz cannot be ${JSON.stringify(tz)}: give a zone such as Europe/Berlin.`);
	}
}

async function withQueue(
	{ options, env }: CommandContext<QueueOptions>,
	work: (queue: FleetQueue) => Promise<CommandResult>,
): Promise<CommandResult> {
	const connection = await openQueue(options.queue_prefix, env);
	const queue = new FleetQueue(connection);
	try {
		return await work(queue);
	} finally {
		await queue.close();
		connection.close();
	}
}
