/** What the document of a run that came to nothing has: of `mirror` and `enqueue`. */
export const FAILED_RUN = {
	state: "failed",
	snapshot: null,
	number: null,
	shards: [],
	counts: null,
	findings: {},
	bytes_downloaded: 0,
	seconds: 0,
};
