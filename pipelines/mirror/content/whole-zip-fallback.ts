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
const NEEDS_WHOLE_ZIP: ReadonlySet<ErrorCode> = new Set([
	...(["ZIP_CORRUPT", "ZIP_UNSAFE", "JSON_MISSING", "JSON_INVALID"] as const),
	...(["MEMBER_CRC_MISMATCH", "MEMBER_UNREADABLE", "IMAGE_MISSING"] as const),
]);

/** Throws the first finding that needs the whole zip, where only parts of it were fetched. */
export function requirePartsSuffice({ shard, selection }: ShardPlan, findings: Finding[]): void {
	if (!selection?.ranged) return;
	const found = findings.find(({ code }) => NEEDS_WHOLE_ZIP.has(code));
	if (found) throw new LakeError(found.code, found.detail, { path: found.image_path ?? found.member ?? shard });
}

/** The same shard, of its whole zip. Null where the error is one that the whole zip would have as well. */
export function planOfWholeZip(plan: ShardPlan, { code }: LakeError): ShardPlan | null {
	const { selection, input } = plan;
	if (!selection?.ranged || input.form !== "zip" || !NEEDS_WHOLE_ZIP.has(code)) return null;
	return { ...plan, selection: { ...selection, ranged: false }, fetchBytes: input.bytes };
}
