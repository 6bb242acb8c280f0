const WINDOW = 300;
/** Requests in 300 seconds, without and with a token (the Hub's documentation, rate-limits). */
const QUOTAS = { api: [500, 1000], resolvers: [3000, 5000], pages: [100, 200] } as const;

type Bucket = keyof typeof QUOTAS;

const used = new Map<string, { window: number; requests: number }>();

function bucketOf(pathname: string): Bucket {
	if (pathname.startsWith("/api/resolve-cache/") || pathname.includes("/resolve/")) return "resolvers";
	return pathname.startsWith("/api/") ? "api" : "pages";
}

/**
 * What the Hub says on every response (draft-ietf-httpapi-ratelimit-headers-09). The count goes down as on the Hub, but
 * nothing is refused and 0 is never said: a test that wants a refusal asks for it as a fault.
 */
export function rateLimitHeaders(pathname: string, withToken: boolean): Record<string, string> {
	const bucket = bucketOf(pathname);
	const quota = QUOTAS[bucket][withToken ? 1 : 0];
	const seconds = Math.floor(Date.now() / 1000);
	const window = Math.floor(seconds / WINDOW);
	const key = `${bucket} ${withToken}`;
	const before = used.get(key);
	const requests = before?.window === window ? before.requests + 1 : 1;
	used.set(key, { window, requests });
	return {
		RateLimit: `"${bucket}";r=${Math.max(1, quota - requests)};t=${WINDOW - (seconds % WINDOW)}`,
		"RateLimit-Policy": `"fixed window";"${bucket}";q=${quota};w=${WINDOW}`,
	};
}
