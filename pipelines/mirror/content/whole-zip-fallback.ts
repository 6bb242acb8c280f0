import type { ErrorCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import type { Finding } from "../check/verdict.js";
import type { ShardPlan } from "../plan/decide.js";

/**
 * What is found wrong with parts of a zip may be the fault of whatever lies between: a cache with a rotten block serves
 * the same wrong bytes each time. Such a verdict counts only of the whole zip, which has a hash to be held against.
 */

/**
 * Verdicts on bytes that no CRC-32 vouches for: the directory's, and those that belie theirs. An orphan is none: a source
 * may have some in every shard, and the wrong name of a wanted image shows as a missing one.
 */
const DOUBTFUL: ReadonlySet<ErrorCode> = new Set([
	...(["ZIP_CORRUPT", "ZIP_UNSAFE", "JSON_MISSING", "JSON_INVALID"] as const),
	...(["MEMBER_CRC_MISMATCH", "MEMBER_UNREADABLE", "IMAGE_MISSING"] as const),
]);

/** Throws the first finding that needs the whole zip, where only parts of it were fetched. */
export function requireNoDoubt({ shard, selection }: ShardPlan, findings: Finding[]): void {
	if (!selection?.ranged) return;
	const doubt = findings.find(({ code }) => DOUBTFUL.has(code));
	if (doubt) throw new LakeError(doubt.code, doubt.detail, { path: doubt.image_path ?? doubt.member ?? shard });
}

/** The plan that settles the doubt: the same shard, of its whole zip. Null when the error leaves none. */
export function withoutDoubt(plan: ShardPlan, { code }: LakeError): ShardPlan | null {
	const { selection, input } = plan;
	if (!selection?.ranged || input.form !== "zip" || !DOUBTFUL.has(code)) return null;
	return { ...plan, selection: { ...selection, ranged: false }, fetchBytes: input.bytes };
}
