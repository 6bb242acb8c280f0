import { join } from "node:path";
import { type HubHandle, startHub } from "../tools/hub/client.js";
import type { HubOptions } from "../tools/hub/options.js";
import { makeSample, type SampleOptions } from "../tools/sample/make.js";
import { tempDir } from "./root.js";

/** A sample that the test Hub serves, and room beside it: what `Lab` and `World` stand on. */
export interface ServedSample {
	/** Folder of everything, the sample's included. */
	path: string;
	source: string;
	hub: HubHandle;
	/** Ends the Hub and removes the folder. */
	close: () => Promise<void>;
}

export async function serveSample(
	name: string,
	sample: SampleOptions,
	options: Partial<HubOptions> = {},
): Promise<ServedSample> {
	const { path, remove } = tempDir(name);
	const source = join(path, "source");
	await makeSample(source, { ...sample, planted: null });
	const hub = await startHub(source, options);
	const close = async (): Promise<void> => {
		await hub.stop();
		remove();
	};
	return { path, source, hub, close };
}
