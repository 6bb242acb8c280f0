import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import { jsonText } from "../../text.js";
import type { CheckedRow, Finding } from "./verdict.js";

/** A finding; fields that are not given are null. */
export function finding(code: FindingCode, detail: string, about: Partial<Finding> = {}): Finding {
	return {
		image_path: null,
		group: null,
		member: null,
		row: null,
		bytes: null,
		sha256: null,
		place: null,
		...about,
		code,
		severity: FINDINGS[code].severity,
		detail,
	};
}

/** A finding about one row of the JSON. */
export function rowFinding(code: FindingCode, detail: string, row: CheckedRow, about: Partial<Finding> = {}): Finding {
	return finding(code, detail, {
		image_path: row.imagePath,
		group: row.group,
		member: row.fileName,
		row: jsonText(row.raw),
		place: row.place,
		...about,
	});
}
