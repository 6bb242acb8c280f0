import { parseArgs } from "node:util";

export interface HubOptions {
	/** 0 lets the system choose. The CDN's port is always chosen by the system. */
	port: number;
	repo: string;
	oldName: string;
	/** Most entries in one page of a tree. */
	pageSize: number;
	/** `lastModified` of the first commit. */
	date: string;
	/** With a token: that token opens the files. Without: no token does. Info and listings stay open, as on the Hub. */
	gated: boolean;
	/** The only valid token; without `gated`, nothing is shown without it. */
	token: string | null;
	/** Nothing is shown without the token; without `token`, nothing at all. */
	private: boolean;
	disabled: boolean;
	/** Validity of the CDN's addresses; 0 makes them expired at once. */
	signatureSeconds: number;
	/** Of each CDN body; null is unlimited. */
	bytesPerSecond: number | null;
	/** Folder with `key.pem` and `cert.pem`: both listeners speak TLS. */
	tls: string | null;
	/** End when standard input closes, so that no Hub outlives its parent. */
	stdin: boolean;
}

export const DEFAULTS: HubOptions = {
	port: 0,
	repo: "zai-org/ImageRewardDB",
	oldName: "THUDM/ImageRewardDB",
	pageSize: 1000,
	date: "2024-03-04T05:06:07.000Z",
	gated: false,
	token: null,
	private: false,
	disabled: false,
	signatureSeconds: 3600,
	bytesPerSecond: null,
	tls: null,
	stdin: false,
};

export const USAGE = `Serves DIR as a dataset repo of the Hugging Face Hub, on loopback.

Usage: npm run -s hub -- DIR [options]
  --port N                port of the API (0: any)
  --repo ID               ${DEFAULTS.repo}
  --old-name ID           ${DEFAULTS.oldName}: redirects to the repo
  --page-size N           entries in one page of the tree (${DEFAULTS.pageSize})
  --date TIME             lastModified (${DEFAULTS.date})
  --token TOKEN           the only valid token; required unless --gated
  --gated                 files need the token; without --token, no token has access
  --private               nothing is shown without the token
  --disabled              access to the repo is disabled
  --signature-seconds N   validity of the CDN's addresses (${DEFAULTS.signatureSeconds})
  --bytes-per-second N    speed of each CDN download
  --tls DIR               speak TLS with DIR/key.pem and DIR/cert.pem
  --stdin                 end when standard input closes
Prints one line of JSON when ready: endpoint, cdn, commit. Ends on SIGTERM and SIGINT.
`;

function count(text: string, name: string): number {
	const value = Number(text);
	if (!Number.isFinite(value) || value < 0) throw new RangeError(`--${name} takes a number of 0 or more`);
	return value;
}

/** Reads the command line; throws a TypeError or RangeError on wrong usage. */
export function parseOptions(args: string[]): { folder: string; options: HubOptions } | "help" {
	const text = { type: "string" } as const;
	const flag = { type: "boolean", default: false } as const;
	const { values, positionals } = parseArgs({
		args,
		allowPositionals: true,
		options: {
			port: { ...text, default: String(DEFAULTS.port) },
			repo: { ...text, default: DEFAULTS.repo },
			"old-name": { ...text, default: DEFAULTS.oldName },
			"page-size": { ...text, default: String(DEFAULTS.pageSize) },
			date: { ...text, default: DEFAULTS.date },
			token: text,
			gated: flag,
			private: flag,
			disabled: flag,
			"signature-seconds": { ...text, default: String(DEFAULTS.signatureSeconds) },
			"bytes-per-second": text,
			tls: text,
			stdin: flag,
			help: flag,
		},
	});
	if (values.help) return "help";
	const [folder, ...more] = positionals;
	if (folder === undefined || more.length > 0) throw new TypeError("one folder is needed");
	const speed = values["bytes-per-second"];
	const options: HubOptions = {
		port: count(values.port, "port"),
		repo: values.repo,
		oldName: values["old-name"],
		pageSize: Math.max(1, Math.floor(count(values["page-size"], "page-size"))),
		date: new Date(values.date).toISOString(),
		gated: values.gated,
		token: values.token ?? null,
		private: values.private,
		disabled: values.disabled,
		signatureSeconds: count(values["signature-seconds"], "signature-seconds"),
		bytesPerSecond: speed === undefined ? null : Math.max(1, count(speed, "bytes-per-second")),
		tls: values.tls ?? null,
		stdin: values.stdin,
	};
	return { folder, options };
}
