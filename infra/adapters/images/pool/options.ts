/** Settings of the image host and its threads. */

/** Where objects are staged: in a lake's folder, or on the scratch disk for a remote lake. Null if nothing is kept. */
export type StageOptions = { kind: "folder" | "scratch"; folder: string } | null;

export interface HostOptions {
	threads: number;
	budgetBytes: number;
	stage: StageOptions;
}

/** What a thread is started with. */
export interface ThreadOptions extends HostOptions {
	budget: SharedArrayBuffer;
}
