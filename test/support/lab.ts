import { copyFileSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HubHandle } from "../tools/hub/client.js";
import type { HubOptions } from "../tools/hub/options.js";
import { makeSample, type SampleOptions } from "../tools/sample/make.js";
import { type CliDocument, type CliEnd, documentOf, runCli } from "./cli.js";
import { type ServedSample, serveSample } from "./served-sample.js";

/** A source folder that the test Hub serves, and room for lakes: what a user has who runs commands by hand. */
export class Lab {
	readonly source: string;
	readonly hub: HubHandle;
	readonly #served: ServedSample;
	readonly #sample: SampleOptions;

	constructor(served: ServedSample, sample: SampleOptions) {
		this.source = served.source;
		this.hub = served.hub;
		this.#served = served;
		this.#sample = sample;
	}

	static async open(name: string, sample: SampleOptions, hub: Partial<HubOptions> = {}): Promise<Lab> {
		return new Lab(await serveSample(name, sample, hub), sample);
	}

	close(): Promise<void> {
		return this.#served.close();
	}

	path(name: string): string {
		return join(this.#served.path, name);
	}

	/** Nothing of the user's own: no token, no cache, no lake of theirs. */
	env(): NodeJS.ProcessEnv {
		return {
			HF_ENDPOINT: this.hub.endpoint,
			HF_HUB_DISABLE_IMPLICIT_TOKEN: "1",
			XDG_CACHE_HOME: this.path("cache"),
		};
	}

	run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliEnd> {
		return runCli(args, { ...this.env(), ...env });
	}

	/** `irlake mirror` of the sample's shards into the lake of this name. */
	async mirror(lake: string, ...more: string[]): Promise<CliDocument> {
		const shards = more.some((word) => ["--shards", "--split", "--subset"].includes(word))
			? []
			: ["--shards", (this.#sample.shards ?? []).join(",")];
		return documentOf(await this.run(["mirror", "--lake", this.path(lake), "--json", ...shards, ...more]));
	}

	/** Another form of the same sample, or another one; returns its folder. */
	async variant(name: string, options: SampleOptions): Promise<string> {
		const folder = this.path(name);
		if (!existsSync(folder)) await makeSample(folder, { ...this.#sample, ...options, planted: null });
		return folder;
	}

	/** Puts a file in the source's place by rename: what the Hub serves of older commits stays as it was. */
	replace(path: string, by: string): void {
		const aside = this.path("aside");
		copyFileSync(by, aside);
		renameSync(aside, join(this.source, path));
	}

	remove(path: string): void {
		rmSync(join(this.source, path));
	}

	/** Names in a folder of this lab; none where it does not exist. */
	names(folder: string): string[] {
		return existsSync(this.path(folder)) ? readdirSync(this.path(folder)).sort() : [];
	}
}
