import { readFileSync, writeFileSync } from "node:fs";

// npm leaves optional packages of other platforms out of package-lock.json when it cannot see them, and `npm ci`
// then refuses the file. This adds them: run `npm install`, then `node infra/scripts/complete-lock.js`.
const OS = [
	"android",
	"darwin",
	"freebsd",
	"linux",
	"openbsd",
	"netbsd",
	"openharmony",
	"sunos",
	"win32",
	"wasm32",
	"aix",
];
const CPU = [
	"arm64",
	"arm",
	"x64",
	"ia32",
	"ppc64",
	"riscv64",
	"s390x",
	"mips64el",
	"loong64",
	"loongarch64",
	"wasm32",
];

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
let added = 0;
for (const [path, entry] of Object.entries({ ...lock.packages })) {
	for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
		if (lock.packages[`${path}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue;
		const parts = name.split(/[/\-.]/).map((part) => part.replace(/^linuxmusl$/, "linux"));
		const os = OS.filter((one) => parts.includes(one));
		const cpu = CPU.filter((one) => parts.includes(one));
		lock.packages[`node_modules/${name}`] = {
			version: range.replace(/^[\^~]/, ""),
			...(cpu.length > 0 ? { cpu } : {}),
			...(entry.dev ? { dev: true } : {}),
			optional: true,
			// What names no system must not be installed here either: it could not be had when the file was written.
			os: os.length > 0 ? os : ["none"],
		};
		added++;
	}
}
const { "": root, ...rest } = lock.packages;
const sorted = Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = { "": root, ...Object.fromEntries(sorted) };
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, "\t")}\n`);
console.log(`${added} packages of other platforms added`);
