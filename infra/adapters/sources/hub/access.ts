import type { HubReply } from "../../../../pipelines/ports/source.js";
import { LakeError } from "../../../../schemas/errors.js";
import { header } from "./headers.js";
import { HubHttp, type HubHttpOptions } from "./http.js";

/**
 * One request about the dataset, without retries: does the Hub accept the token, and what time does it have? Throws the
 * signal's reason only.
 */
export async function askHub(
	options: HubHttpOptions & { repo: string; revision: string },
	signal: AbortSignal,
): Promise<HubReply> {
	const { repo, revision } = options;
	const started = Date.now();
	let http: HubHttp | null = null;
	const reply = (date: string | null, error: LakeError | null): HubReply => ({
		date: date === null ? null : new Date(date),
		at: new Date((started + Date.now()) / 2),
		error,
	});
	try {
		http = new HubHttp(options);
		const path = `/api/datasets/${repo.split("/").map(encodeURIComponent).join("/")}`;
		const url = http.url(`${path}/revision/${encodeURIComponent(revision)}`);
		const answer = await http.open(url, { subject: { repo, revision, file: null }, signal });
		answer.body.dump().catch(() => undefined);
		return reply(header(answer.headers, "date"), null);
	} catch (error) {
		if (!(error instanceof LakeError)) throw error;
		return reply(null, error);
	} finally {
		await http?.close();
	}
}
