import type { Dataset } from "../../pipelines/dataset.js";
import { ensureLakeId } from "../../pipelines/lake/lake-id.js";
import type { MirrorPlan, MirrorRequest } from "../../pipelines/mirror/plan/plan-mirror.js";
import { requireGroups } from "../../pipelines/mirror/plan/settings.js";
import { LakeError } from "../../schemas/errors.js";
import { AskedSettings } from "../../schemas/settings.js";
import type { CommandContext } from "../command-line/command.js";
import type { MirrorOptions } from "../command-line/options.js";
import { wantedShards } from "../options.js";
import { countedText, sizeText } from "../report/format.js";
import { codecVersion, type LakeStore } from "../wire.js";

/** What a mirror begins with, in this process or on the queue. */

/** What the flags ask for. Throws USAGE. */
export function mirrorRequest(options: MirrorOptions, dataset: Dataset): MirrorRequest {
	if (options.prune && options.shards !== undefined) {
		throw new LakeError("USAGE", "--prune cannot stand beside --shards.", {
			hint: "Use --subset or --split to say what the lake shall hold.",
		});
	}
	const settings = askedSettings(options);
	requireGroups(settings, dataset);
	return {
		wanted: wantedShards(dataset, options),
		settings,
		newSettings: options.new_settings,
		prune: options.prune,
		keepRejected: options.keep_rejected,
		codec: codecVersion,
	};
}

/** Those of the options that are settings, and given. */
function askedSettings(options: MirrorOptions): AskedSettings {
	const names = Object.keys(AskedSettings.shape) as (keyof AskedSettings)[];
	const given = names.filter((name) => options[name] !== undefined);
	return AskedSettings.parse(Object.fromEntries(given.map((name) => [name, options[name]])));
}

/** Gives a new lake its id. A store that cannot be written to safely is refused here, before anything is fetched. */
export async function claimLake(store: LakeStore): Promise<string> {
	await store.prepareWrites();
	return ensureLakeId(store);
}

export function tellPlan({ listing, shards }: MirrorPlan, { log }: Pick<CommandContext, "log">): void {
	const todo = shards.filter(({ action }) => action === "process");
	const bytes = todo.reduce((sum, { fetchBytes }) => sum + fetchBytes, 0);
	for (const path of listing.unknownZips) log.warn({ path }, `${path} is no known shard: ignored`);
	for (const { shard, reason, action } of shards) if (action === "keep") log.warn({ shard }, `${shard}: ${reason}`);
	if (listing.explicitCommit)
		log.info({ commit: listing.commit }, "an explicit commit: it may replace shards read at a later one");
	log.info(
		{ source: listing.uri, commit: listing.commit, shards: shards.length, to_do: todo.length, bytes },
		todo.length === 0
			? "no shard to do"
			: `${todo.length} of ${countedText(shards.length, "shard")} to do, ${sizeText(bytes)}`,
	);
}
