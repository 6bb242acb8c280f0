import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { LakeError } from "../schemas/errors.js";

/** Addresses of sources and lakes, read from their text. */

/** Where a source is: on the Hub, or a folder of this machine. */
type SourceAddress = { kind: "hub"; repo: string; revision: string } | { kind: "folder"; folder: string };

const HUB_ADDRESS = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([^\s?#]+))?$/;

export function parseSource(text: string): SourceAddress {
	const hub = HUB_ADDRESS.exec(text);
	if (hub?.[1] !== undefined) return { kind: "hub", repo: hub[1], revision: hub[2] ?? "main" };
	if (/^(\/|\.\.?(\/|$))/.test(text)) return { kind: "folder", folder: resolve(text) };
	const folder = folderOf(text);
	if (folder !== null) return { kind: "folder", folder };
	const repository = /^[\w.-]+\/[\w.-]+(@[^\s?#]+)?$/.test(text) ? `Did you mean hf://${text}? ` : "";
	throw new LakeError("USAGE", `--source cannot be ${JSON.stringify(withoutCredentials(text))}.`, {
		hint: `${repository}Give hf://owner/name@revision, file:///folder, or a path such as ./copy.`,
	});
}

/** Where a lake is: a folder of this machine, or below a prefix of a bucket ("": the whole bucket). */
export type LakeAddress = { kind: "folder"; folder: string } | { kind: "s3"; bucket: string; prefix: string };

const S3_ADDRESS = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])(?:\/([^?#\\]*))?$/;

/** Of a key's 1,024 bytes, the lake's own paths need up to 200. */
const LONGEST_PREFIX = 800;

/** Throws LAKE_UNSUPPORTED for storage that this release does not know, USAGE for an address on S3 that cannot be. */
export function parseLake(text: string): LakeAddress {
	const folder = folderOf(text);
	if (folder !== null) return { kind: "folder", folder };
	if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: "folder", folder: resolve(text) };
	const shown = JSON.stringify(withoutCredentials(text));
	if (!text.startsWith("s3://")) throw new LakeError("LAKE_UNSUPPORTED", `--lake cannot be ${shown}.`);
	const [, bucket, path = ""] = S3_ADDRESS.exec(text) ?? [];
	const prefix = path.replace(/\/+$/, "");
	const steps = prefix === "" ? [] : prefix.split("/");
	const odd = steps.some((step) => step === "" || step === "." || step === "..");
	if (bucket === undefined || odd || Buffer.byteLength(prefix) > LONGEST_PREFIX || /\p{Cc}/u.test(prefix)) {
		throw new LakeError("USAGE", `--lake cannot be ${shown}.`, {
			hint: "Give s3://bucket or s3://bucket/prefix; credentials come from AWS_PROFILE or AWS_ACCESS_KEY_ID and the like.",
		});
	}
	return { kind: "s3", bucket, prefix };
}

/** The folder of a `file:///` address; null for anything else, and for one that cannot be read. */
function folderOf(text: string): string | null {
	if (!text.startsWith("file:///")) return null;
	try {
		return resolve(fileURLToPath(text));
	} catch {
		return null;
	}
}

function withoutCredentials(text: string): string {
	return text.replace(/\/\/[^/@]*@/, "//***@");
}
