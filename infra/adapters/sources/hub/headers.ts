/** Headers of HTTP responses. */

export type Headers = Record<string, string | string[] | undefined>;

export function header(headers: Headers, name: string): string | null {
	const value = headers[name];
	return Array.isArray(value) ? value.join(", ") : (value ?? null);
}

/**
 * Seconds to wait before another request, or null: from `RateLimit: "…";r=0;t=…`
 * (draft-ietf-httpapi-ratelimit-headers-09), else from `Retry-After`.
 */
export function waitSeconds(headers: Headers): number | null {
	let wait: number | null = null;
	for (const item of (header(headers, "ratelimit") ?? "").split(",")) {
		const [, remaining] = /;\s*r=(\d+)/.exec(item) ?? [];
		const [, reset] = /;\s*t=(\d+)/.exec(item) ?? [];
		// One second more, since the window's end is rounded to seconds.
		if (Number(remaining) === 0 && reset !== undefined) wait = Math.max(wait ?? 0, Number(reset) + 1);
	}
	const after = header(headers, "retry-after")?.trim();
	if (wait !== null || !after) return wait;
	if (/^\d+$/.test(after)) return Number(after);
	// Measured against the response's own date, so that this machine's clock does not matter.
	const seconds = (Date.parse(after) - Date.parse(header(headers, "date") ?? new Date().toUTCString())) / 1000;
	return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

export function isHtml(headers: Headers): boolean {
	return /^\s*text\/html\b/i.test(header(headers, "content-type") ?? "");
}
