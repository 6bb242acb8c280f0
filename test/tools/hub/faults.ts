import { createHash } from "node:crypto";
import { z } from "zod";

const faultSchema = z.object({
	match: z.object({
		/** `resolve` is HEAD and GET alike. */
		route: z.enum(["resolve", "resolve_cache", "cdn", "tree", "info"]).optional(),
		/** A file's path in the repo; of `tree`, the folder's. */
		path: z.string().optional(),
	}),
	/** How many matching requests it lets pass first. */
	after: z.int().min(0).default(0),
	/** How many matching requests it meets. */
	times: z.int().min(1),
	/**
	 * In place of the answer: `status` (`status` with `headers`), `hang` (nothing at all), `portal` (a page to log in at),
	 * `pointer` (git's pointer to the file), `expired` (what the CDN says of a signature that has run out).
	 * With the answer: `reset-after` (the connection is reset after `bytes` of the body), `end-early` (it ends cleanly
	 * there, short of the Content-Length), `truncate` (so too, with a Content-Length to match), `stall-after` (nothing
	 * more comes), `overlong` (`bytes` more than there are), `wrong-bytes` (the body's byte at `bytes` is inverted),
	 * `ignore-range` (the whole file, whatever was asked for), `gzip` (compressed, though nobody asked).
	 */
	kind: z.enum([
		...(["status", "hang", "portal", "pointer", "expired"] as const),
		...(["reset-after", "end-early", "truncate", "stall-after"] as const),
		...(["overlong", "wrong-bytes", "ignore-range", "gzip"] as const),
	]),
	bytes: z.int().min(0).optional(),
	status: z.int().min(200).max(599).optional(),
	headers: z.record(z.string(), z.string()).optional(),
});

export const faultsSchema = z.array(faultSchema);
/** As a test writes it. */
export type FaultOrder = z.input<typeof faultSchema>;
/** What one answer meets. */
export type Fault = Pick<z.output<typeof faultSchema>, "kind" | "bytes" | "status" | "headers">;

/** Faults by chance: each request meets one with this probability, and which one follows from the seed alone. */
export const chanceSchema = z.object({ rate: z.number().min(0).max(1), seed: z.string().default("") });
export type Chance = z.input<typeof chanceSchema>;

/** Whom a fault may meet. */
export interface Target {
	route: string;
	path: string | null;
	/** Bytes of the body. */
	size: number;
}

/** Under what a fault is counted. */
export function faultName({ kind, status }: Fault): string {
	return kind === "status" ? String(status ?? 500) : kind;
}

/** The faults still to happen, in order: the first that matches a request is used up by one. */
export class Faults {
	#left: z.output<typeof faultsSchema> = [];
	#chance = { rate: 0, seed: "" };
	/** Requests of a kind so far. */
	readonly #seen = new Map<string, number>();

	set(faults: z.output<typeof faultsSchema>): void {
		this.#left = faults.map((fault) => ({ ...fault }));
	}

	setChance(chance: z.output<typeof chanceSchema>): void {
		this.#chance = chance;
		this.#seen.clear();
	}

	/** Called once before each response. */
	take(target: Target): Fault | null {
		const { route, path } = target;
		const fault = this.#left.find(
			({ match, times }) =>
				times > 0 &&
				(match.route === undefined || match.route === route) &&
				(match.path === undefined || match.path === path),
		);
		if (fault === undefined) return this.#draw(target);
		if (fault.after > 0) {
			fault.after--;
			return null;
		}
		fault.times--;
		return fault;
	}

	/** The same for the same request of a file, whatever else is asked for in between. */
	#draw(target: Target): Fault | null {
		if (this.#chance.rate === 0) return null;
		const key = `${target.route} ${target.path}`;
		const nth = (this.#seen.get(key) ?? 0) + 1;
		this.#seen.set(key, nth);
		const digest = createHash("sha256").update(`${this.#chance.seed} ${key} ${nth}`).digest();
		const share = (at: number): number => digest.readUInt32BE(at) / 2 ** 32;
		if (share(0) >= this.#chance.rate) return null;
		const kinds = kindsFor(target.route, Math.floor(share(8) * target.size));
		return kinds[Math.floor(share(4) * kinds.length)] ?? null;
	}
}

const status = (code: number, headers: Record<string, string> = {}): Fault => {
	return { kind: "status", status: code, headers };
};

/** What can befall a request of this route; `bytes` is a place in its body. */
function kindsFor(route: string, bytes: number): Fault[] {
	const soon = new Date(Date.now() + 1000).toUTCString();
	const anywhere: Fault[] = [
		status(429, { RateLimit: '"resolvers";r=0;t=0' }),
		status(429, { RateLimit: '"resolvers";r=37;t=99', "Retry-After": "1" }),
		status(429, { "Retry-After": soon }),
		...[408, 500, 502, 504].map((code) => status(code)),
		status(503, { "Retry-After": "1" }),
		{ kind: "hang" },
		{ kind: "portal" },
		{ kind: "reset-after", bytes: 0 },
	];
	if (route === "resolve") return anywhere;
	const bodies: Fault[] = [
		...(["reset-after", "end-early", "truncate", "stall-after"] as const).map((kind) => ({ kind, bytes })),
		{ kind: "gzip" },
	];
	if (route !== "cdn") return [...anywhere, ...bodies];
	return [
		...anywhere,
		...bodies,
		{ kind: "overlong", bytes: 1000 },
		{ kind: "wrong-bytes", bytes },
		{ kind: "ignore-range" },
		{ kind: "pointer" },
		{ kind: "expired" },
		status(403),
		status(416),
	];
}
