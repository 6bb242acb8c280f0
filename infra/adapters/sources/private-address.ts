import { type LookupAddress, lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { LakeError } from "../../../schemas/errors.js";

/** Keeps redirects out of the network that the mirror runs in: routers, cloud metadata services, other hosts. */

const PRIVATE = new BlockList();
/** Not reachable from the Internet (IANA's special-purpose registries, RFC 6890), multicast and reserved ranges included. */
for (const [prefix, bits] of [
	["0.0.0.0", 8],
	["10.0.0.0", 8],
	["100.64.0.0", 10],
	["127.0.0.0", 8],
	["169.254.0.0", 16],
	["172.16.0.0", 12],
	["192.0.0.0", 24],
	["192.168.0.0", 16],
	["198.18.0.0", 15],
	["224.0.0.0", 3],
] as const) {
	PRIVATE.addSubnet(prefix, bits, "ipv4");
}
for (const [prefix, bits] of [
	["::", 127],
	["64:ff9b:1::", 48],
	["fc00::", 7],
	["fe80::", 9],
	["ff00::", 8],
] as const) {
	PRIVATE.addSubnet(prefix, bits, "ipv6");
}
/** IPv6 ranges that embed the IPv4 address a gateway forwards to: NAT64 (last 32 bits), 6to4 (bits 16 to 48), IPv4-compatible (last 32). */
const GATEWAYS = [
	{ prefix: "64:ff9b::", bits: 96, from: 6 },
	{ prefix: "2002::", bits: 16, from: 1 },
	{ prefix: "::", bits: 96, from: 6 },
].map(({ prefix, bits, from }) => {
	const list = new BlockList();
	list.addSubnet(prefix, bits, "ipv6");
	return { list, from };
});

/** The eight groups of an IPv6 address. */
function groups(address: string): number[] {
	// The URL parser normalizes every form: an IPv4 ending becomes two groups.
	const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
	const [head = "", tail] = text.split("::");
	const read = (part: string): number[] =>
		part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
	if (tail === undefined) return read(head);
	const [first, last] = [read(head), read(tail)];
	return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

/** Whether an IP address, in any notation, is private, loopback, link-local or the like; false for a name. */
export function isPrivateAddress(text: string): boolean {
	const address = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
	const version = isIP(address);
	if (version === 0) return false;
	// BlockList checks IPv4-mapped IPv6 addresses against the IPv4 rules, too.
	if (PRIVATE.check(address, version === 4 ? "ipv4" : "ipv6")) return true;
	if (version === 4) return false;
	const inside = GATEWAYS.find(({ list }) => list.check(address, "ipv6"));
	if (inside === undefined) return false;
	const [high = 0, low = 0] = groups(address).slice(inside.from);
	return PRIVATE.check([high >> 8, high & 255, low >> 8, low & 255].join("."), "ipv4");
}

type Resolve = (
	hostname: string,
	options: { all: true; family?: number | "IPv4" | "IPv6" | undefined; hints?: number | undefined },
	done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

interface AddressGuardOptions {
	/** The endpoint's host, as in its URL. If it is private, redirects to private addresses are allowed. */
	home: string;
	/** Allow every address. */
	allowPrivate: boolean;
	/** Default: the system's resolver. */
	resolve?: Resolve;
}

/** Refuses private addresses that the user did not ask for: by the URL's host, and by what it resolves to on connecting. */
export class AddressGuard {
	readonly #options: AddressGuardOptions;
	readonly #home: string;
	/** Whether the endpoint is private; null until its first address is known. */
	#homeIsPrivate: boolean | null;

	constructor(options: AddressGuardOptions) {
		this.#options = options;
		this.#home = bare(options.home);
		this.#homeIsPrivate = isIP(this.#home) !== 0 || isLocalName(this.#home) ? isPrivateHost(this.#home) : null;
	}

	/** Throws HUB_REDIRECT_REFUSED for a host whose name alone shows that it is private. */
	checkHost(host: string): void {
		const name = bare(host);
		if (name !== this.#home && isPrivateHost(name)) this.#refuse(name, name);
	}

	/** For `net.connect`: resolves a name once and connects to the very addresses checked, so that no second lookup can differ. */
	readonly lookup: LookupFunction = (hostname, options, done) => {
		const resolve: Resolve = this.#options.resolve ?? lookup;
		const { family, hints } = options;
		resolve(hostname, { all: true, family, hints }, (error, addresses) => {
			if (error) return done(error, []);
			try {
				this.#check(hostname, addresses);
			} catch (refused) {
				// Passed through the socket as a plain Error; whoever opened the connection gets it back as a LakeError.
				return done(refused as Error, []);
			}
			const [first] = addresses;
			if (options.all) return done(null, addresses);
			return done(null, first?.address ?? "", first?.family);
		});
	};

	#check(hostname: string, addresses: LookupAddress[]): void {
		const found = addresses.find(({ address }) => isPrivateAddress(address));
		if (bare(hostname) === this.#home) this.#homeIsPrivate ??= found !== undefined;
		if (found !== undefined) this.#refuse(hostname, found.address);
	}

	#refuse(hostname: string, address: string): void {
		if (this.#options.allowPrivate || this.#homeIsPrivate) return;
		const where = hostname === address ? address : `${hostname}, which is ${address}`;
		throw new LakeError("HUB_REDIRECT_REFUSED", `The Hub at ${this.#home} leads to a private address: ${where}.`, {
			hint: "If the file store is in your own network, add --allow-private-redirects; else check HF_ENDPOINT and the network's name server.",
		});
	}
}

function bare(host: string): string {
	return host
		.replace(/^\[|\]$/g, "")
		.replace(/\.$/, "")
		.toLowerCase();
}

/** Names that mean this machine without a lookup (RFC 6761). */
function isLocalName(name: string): boolean {
	return name === "localhost" || name.endsWith(".localhost");
}

function isPrivateHost(name: string): boolean {
	return isLocalName(name) || isPrivateAddress(name);
}
