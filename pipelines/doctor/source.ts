import { FINDINGS } from "../../schemas/codes.js";
import type { Listing } from "../ports/source.js";
import { failed, ok, someNames, type Verdict } from "./verdict.js";

/** What a mirror would find at the source. No content is read. */
export interface SourceSurvey {
	/** For messages: the address and, on the Hub, commit and date. */
	where: string;
	/** Bytes of each shard found. */
	shards: Map<string, number>;
	splits: Set<string>;
	/** Files that exist but cannot be read. */
	unreadable: string[];
}

/** The shards and metadata that the flags ask for. */
export interface Wanted {
	shards: string[];
	splits: string[];
}

export function surveyOfListing({ uri, commit, committedAt, shards, metadata }: Listing): SourceSurvey {
	const at = commit === null ? "" : ` at ${commit.slice(0, 12)}`;
	const when = committedAt === null ? "" : ` of ${committedAt}`;
	return {
		where: `${uri}${at}${when}`,
		shards: new Map([...shards].map(([shard, { bytes }]) => [shard, bytes])),
		splits: new Set(metadata.keys()),
		unreadable: [],
	};
}

/** `sizeText` writes bytes for people. */
export function sourceVerdict(survey: SourceSurvey, wanted: Wanted, sizeText: (bytes: number) => string): Verdict {
	const { where, shards, splits, unreadable } = survey;
	if (unreadable.length > 0) {
		return failed(`${where}: cannot read ${someNames(unreadable)}.`, "Check the files' owner and permissions.");
	}
	const missing = wanted.shards.filter((shard) => !shards.has(shard));
	if (missing.length > 0) {
		const detail = `${where}: ${missing.length} of ${wanted.shards.length} shards are not there: ${someNames(missing)}.`;
		return failed(detail, FINDINGS.SHARD_MISSING.todo);
	}
	const bare = wanted.splits.filter((split) => !splits.has(split));
	if (bare.length > 0) {
		return failed(`${where}: no metadata of ${bare.join(", ")}.`, "Choose a revision or a copy that holds it.");
	}
	const bytes = wanted.shards.reduce((sum, shard) => sum + (shards.get(shard) ?? 0), 0);
	return ok(`${where}: ${wanted.shards.length} shards, ${sizeText(bytes)}`);
}
