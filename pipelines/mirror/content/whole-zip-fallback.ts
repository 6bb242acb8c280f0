import type { ErrorCode } from "../../../schemas/codes.js";
import { LakeError } from "../../../schemas/errors.js";
import type { Finding } from "../check/verdict.js";
import type { ShardPlan } from "../plan/decide.js";

/**
 * Errors found in parts of a zip may come from the transfer: a cache with a corrupt block serves the same wrong bytes
 * every time. So such a verdict counts only for the whole zip, which can be checked against its hash.
 */

/**
 * Verdicts that depend on bytes without a valid CRC-32: the directory's, and members whose CRC-32 is wrong. IMAGE_ORPHAN
 * is not among them: a source may have orphans in every shard, and a damaged name of a wanted image shows as IMAGE_MISSING.
 */
const NEEDS_WHOLE_ZIP: ReadonlySet<ErrorCode> = new Set([
	...(["ZIP_CORRUPT", "ZIP_UNSAFE", "JSON_MISSING", "JSON_INVALID"] as const),
	...(["MEMBER_CRC_MISMATCH", "MEMBER_UNREADABLE", "IMAGE_MISSING"] as const),
]);

/** If only parts of the zip were fetched, throws the first finding that needs the whole zip. */
export function requirePartsSuffice({ shard, selection }: ShardPlan, findings: Finding[]): void {
	if (!selection?.ranged) return;
	const found = findings.find(({ code }) => NEEDS_WHOLE_ZIP.has(code));
	if (found) throw new LakeError(found.code, found.detail, { path: found.image_path ?? found.member ?? shard });
}

/** The plan to read the same shard from its whole zip; null if the whole zip would fail with the same error. */
export function planOfWholeZip(plan: ShardPlan, { code }: LakeError): ShardPlan | null {
	const { selection, input } = plan;
	if (!selection?.ranged || input.form !== "zip" || !NEEDS_WHOLE_ZIP.has(code)) return null;
	return { ...plan, selection: { ...selection, ranged: false }, fetchBytes: input.bytes };
}
