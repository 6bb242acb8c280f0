export type Origin = "api" | "cdn";

/** What a request asked for; every request is counted under exactly one kind. */
export type RouteKind =
	| "info"
	| "tree"
	| "paths_info"
	| "commits"
	| "refs"
	| "resolve_head"
	| "resolve_get"
	| "resolve_cache_head"
	| "resolve_cache_get"
	| "cdn_head"
	| "cdn_get"
	| "renamed"
	| "unknown";

export interface PathCounters {
	/** HEAD and GET requests to `resolve`, which answer with a redirect. */
	heads: number;
	gets: number;
	/** GET requests for the bytes, at the CDN or (small files) at `resolve-cache`. */
	downloads: number;
	/** Body bytes handed to the system; after a broken connection some may not have arrived. */
	bytes: number;
	/** What was really sent of each download, in order: `[first, end)`. */
	ranges: [number, number][];
	/** The fault that each of these met, or null. */
	spoilt: (string | null)[];
}

export interface OriginCounters {
	requests: number;
	methods: Record<string, number>;
	statuses: Record<string, number>;
	bytes: number;
}

/** Since the start or the last reset; requests below `/_test/` are not counted. */
export interface Counters {
	api: OriginCounters;
	cdn: OriginCounters;
	routes: Partial<Record<RouteKind, number>>;
	paths: Record<string, PathCounters>;
	/** Faults that happened, by what they are. */
	faults: Record<string, number>;
	/** Requests with an Authorization header at the CDN: a client that leaked its token. */
	authorization_at_cdn: number;
	/** The process's own, since its start. */
	cpu_seconds: { user: number; system: number };
}

type Counts = Omit<Counters, "cpu_seconds">;

const emptyOrigin = (): OriginCounters => ({ requests: 0, methods: {}, statuses: {}, bytes: 0 });
const emptyCounts = (): Counts => ({
	api: emptyOrigin(),
	cdn: emptyOrigin(),
	routes: {},
	paths: {},
	faults: {},
	authorization_at_cdn: 0,
});

function add(counts: Record<string, number>, key: string): void {
	counts[key] = (counts[key] ?? 0) + 1;
}

/** Counts one body's bytes as they leave. */
export type CountBytes = (bytes: number) => void;

export class Ledger {
	#counts = emptyCounts();

	reset(): void {
		this.#counts = emptyCounts();
	}

	read(): Counters {
		const { user, system } = process.cpuUsage();
		return { ...this.#counts, cpu_seconds: { user: user / 1e6, system: system / 1e6 } };
	}

	/** A request that came in; `path` is the file's where it is about one. */
	request(
		origin: Origin,
		kind: RouteKind,
		{ method, path, authorized }: { method: string; path: string | null; authorized: boolean },
	): void {
		const counts = this.#counts;
		counts[origin].requests++;
		add(counts[origin].methods, method);
		counts.routes[kind] = (counts.routes[kind] ?? 0) + 1;
		if (origin === "cdn" && authorized) counts.authorization_at_cdn++;
		if (path === null) return;
		const of = this.#path(path);
		if (kind === "resolve_head") of.heads++;
		else if (kind === "resolve_get") of.gets++;
		else if (kind === "cdn_get" || kind === "resolve_cache_get") of.downloads++;
	}

	status(origin: Origin, status: number): void {
		add(this.#counts[origin].statuses, String(status));
	}

	fault(name: string): void {
		add(this.#counts.faults, name);
	}

	/** A body that begins; `range` is given where it is a file's content from `range.first` on. */
	body(origin: Origin, range: { path: string; first: number; fault: string | null } | null): CountBytes {
		const total = this.#counts[origin];
		if (range === null) {
			return (bytes) => {
				total.bytes += bytes;
			};
		}
		const of = this.#path(range.path);
		const sent: [number, number] = [range.first, range.first];
		of.ranges.push(sent);
		of.spoilt.push(range.fault);
		return (bytes) => {
			total.bytes += bytes;
			of.bytes += bytes;
			sent[1] += bytes;
		};
	}

	#path(path: string): PathCounters {
		const found = this.#counts.paths[path] ?? { heads: 0, gets: 0, downloads: 0, bytes: 0, ranges: [], spoilt: [] };
		this.#counts.paths[path] = found;
		return found;
	}
}
