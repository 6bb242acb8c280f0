import { z } from "zod";

const faultSchema = z.object({
	match: z.object({
		/** \`resolve\` is HEAD and GET alike. */
		route: z.enum(["resolve", "cdn", "tree", "info"]).optional(),
		/** A file's path in the repo; of `tree`, the folder's. */
		path: z.string().optional(),
	}),
	/** How many matching requests it meets. */
	times: z.int().min(1),
	/**
	 * `status`: answers `status` with `headers` instead. `reset-after`: resets the connection after `bytes` of the body.
	 * `stall-after`: sends nothing more after `bytes`. `truncate`: ends cleanly after `bytes`, with a Content-Length to
	 * match. `wrong-bytes`: inverts the body's byte at `bytes`.
	 */
	kind: z.enum(["reset-after", "status", "stall-after", "wrong-bytes", "truncate"]),
	bytes: z.int().min(0).optional(),
	status: z.int().min(200).max(599).optional(),
	headers: z.record(z.string(), z.string()).optional(),
});

export const faultsSchema = z.array(faultSchema);
export type Fault = z.infer<typeof faultSchema>;

/** The faults still to happen, in order: the first that matches a request is used up by one. */
export class Faults {
	#left: Fault[] = [];

	set(faults: Fault[]): void {
		this.#left = faults.map((fault) => ({ ...fault }));
	}

	/** Called once before each response. */
	take(route: string, path: string | null): Fault | null {
		const fault = this.#left.find(
			({ match, times }) =>
				times > 0 &&
				(match.route === undefined || match.route === route) &&
				(match.path === undefined || match.path === path),
		);
		if (fault === undefined) return null;
		fault.times--;
		return fault;
	}
}
