import { expect, test } from "@jest/globals";
import { bandwidth, duration, onOrOff, type Reader, size } from "../../../../workers/command-line/readers.js";

/** Times, sizes and rates may be written as people write them; anything else is refused. */

test.each<[string, Reader<unknown>, string, unknown]>([
	["time", duration, "0", 0],
	["time", duration, "90", 90],
	["time", duration, "90s", 90],
	["time", duration, "1.5m", 90],
	["time", duration, "24h", 86_400],
	["time", duration, "7d", 604_800],
	["time", duration, "soon", null],
	["time", duration, "-1h", null],
	["size", size, "1GB", 1e9],
	["size", size, "64MiB", 64 * 2 ** 20],
	["size", size, "1000", 1000],
	["size", size, "0", null],
	["size", size, "1GB/s", null],
	["rate", bandwidth, "20MB", 20e6],
	["rate", bandwidth, "500KB/s", 500e3],
	["rate", bandwidth, "1.5 MiB/s", 1.5 * 2 ** 20],
	["rate", bandwidth, "10", null],
	["rate", bandwidth, "fast", null],
	["switch", onOrOff, "1", true],
	["switch", onOrOff, "", false],
	["switch", onOrOff, "yes", null],
])("%s: case %#", (_, reader, text, value) => {
	expect(reader.read(text)).toBe(value);
});
