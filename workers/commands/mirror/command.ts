import { defineCommand } from "../../command-line/command.js";
import { CONCURRENCY, EXPECT, mirrorOptions, NETWORK } from "../../command-line/options.js";
import type { DatasetHelp } from "../../dataset-help.js";
import { FAILED_RUN } from "../../report/run-document.js";

export const mirrorCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "mirror",
		summary: "fetch, check and publish; run again to finish what is missing",
		options: { ...CONCURRENCY, ...mirrorOptions(about), ...EXPECT, ...NETWORK },
		examples: [
			`irlake mirror --subset ${about.smallSubset} --lake ./lake`,
			`irlake mirror --shards ${about.fewShards} --on-shard-failure skip`,
			`irlake mirror --subset ${about.smallSubset} --where "${about.textPredicate}" --lake ./people`,
			`irlake mirror --subset ${about.smallSubset} --where '${about.groupPredicate}' --where-mode prompt --lake ./won`,
			`irlake mirror --source ${about.folder} --lake /lake`,
			`irlake mirror --subset ${about.smallSubset} --expect known.jsonl --keep-rejected`,
			`irlake mirror --subset ${about.smallSubset} --bandwidth 20MB --retries 50 --idle-timeout 60`,
			`AWS_PROFILE=me irlake mirror --subset ${about.smallSubset} --lake s3://bucket/lake`,
			"AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000 irlake mirror --lake s3://b/lake",
		],
		failed: FAILED_RUN,
		load: async () => (await import("./run.js")).mirror,
	});
