import type { LookupAddress } from "node:dns";
import { describe, expect, test } from "@jest/globals";
import { AddressGuard, isPrivateAddress } from "../../../../../infra/adapters/sources/private-address.js";

/** Which addresses are private, and that a name is judged by what it resolves to when it is connected to. */

test.each([
	...["127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"],
	...["224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fdff::1"],
	...["::ffff:127.0.0.1", "::ffff:a00:1", "[::ffff:10.0.0.1]", "64:ff9b::10.0.0.1", "2002:7f00:1::", "::127.0.0.1"],
	...["0:0:0:0:0:ffff:c0a8:1", "ff02::1", "64:ff9b:1::1"],
])("%s is private", (address) => expect(isPrivateAddress(address)).toBe(true));

test.each([
	...["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.169.0.1", "99.84.1.1", "2606:4700::1111", "::ffff:1.1.1.1"],
	...["64:ff9b::1.1.1.1", "2002:101:101::", "2a00:1450::1", "huggingface.co", "localhost.example", ""],
])("%s is not", (address) => expect(isPrivateAddress(address)).toBe(false));

/** Resolves as told, answer after answer. */
function guard(home: string, answers: Record<string, string[][]>, allowPrivate = false): AddressGuard {
	return new AddressGuard({
		home,
		allowPrivate,
		resolve: (name, _options, done) => {
			const addresses = (answers[name] ?? []).shift() ?? [];
			done(
				null,
				addresses.map((address): LookupAddress => ({ address, family: address.includes(":") ? 6 : 4 })),
			);
		},
	});
}

function lookup(by: AddressGuard, name: string): Promise<unknown> {
	return new Promise((resolve, reject) => {
		by.lookup(name, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
	});
}

describe("a name", () => {
	const refused = { code: "HUB_REDIRECT_REFUSED", exit: 1, retry: false };

	test("that resolves to a private address is refused, even to one among others", async () => {
		const by = guard("hub.test", { "hub.test": [["1.1.1.1"]], "cdn.test": [["1.1.1.1", "::ffff:10.0.0.1"]] });
		await expect(lookup(by, "hub.test")).resolves.toHaveLength(1);
		await expect(lookup(by, "cdn.test")).rejects.toMatchObject({
			...refused,
			message: "The Hub at hub.test leads to a private address: cdn.test, which is ::ffff:10.0.0.1.",
		});
	});

	test("that changes its mind is judged each time anew, the endpoint's own among them", async () => {
		const by = guard("hub.test", { "hub.test": [["1.1.1.1"], ["10.0.0.1"]], "cdn.test": [["2.2.2.2"], ["127.0.0.1"]] });
		for (const name of ["hub.test", "cdn.test"]) await expect(lookup(by, name)).resolves.toHaveLength(1);
		for (const name of ["hub.test", "cdn.test"]) await expect(lookup(by, name)).rejects.toMatchObject(refused);
	});

	test("may be private where the endpoint is, or where that is allowed", async () => {
		const answers = () => ({ "hub.test": [["10.0.0.1"]], "cdn.test": [["10.0.0.2"]] });
		const home = guard("hub.test", answers());
		await expect(lookup(home, "hub.test")).resolves.toHaveLength(1);
		await expect(lookup(home, "cdn.test")).resolves.toHaveLength(1);
		await expect(lookup(guard("hub.test", answers(), true), "cdn.test")).resolves.toHaveLength(1);
	});

	test("or address in a redirect is judged before it is connected to", () => {
		const by = guard("hub.test", {});
		for (const host of ["127.0.0.1", "[::1]", "localhost", "a.localhost", "10.0.0.1"]) {
			expect(() => by.checkHost(host)).toThrow("private address");
		}
		for (const host of ["cdn.test", "1.1.1.1", "hub.test"]) by.checkHost(host);
		for (const home of ["127.0.0.1", "localhost", "[::1]"]) guard(home, {}).checkHost("10.0.0.1");
	});
});
