import Sequencer from "@jest/test-sequencer";

/**
 * The order in which Jest takes the test files. The longest come first, so that none of them is left running alone at
 * the end; the others as Jest itself does: those that failed, then by their last duration, or by size.
 */

const LONGEST = [
	"faults/kill",
	"fleet/takeover",
	"consumers/export-real",
	"behaviour/mirror/real-data",
	"fleet/operator",
	"fleet/chaos",
	"faults/bodies",
	"faults/publishers",
	"faults/io-errors",
	"faults/s3-kill",
	"faults/s3-faults",
	"behaviour/cli/commands",
	"behaviour/cli/readme",
	"behaviour/cli/install",
	"behaviour/vacuum/vacuum",
	"faults/every-write",
	"faults/refusals",
	"fleet/runs",
].map((name) => `/${name}.test.js`);

/** Place among the longest; after them all where it is not one of them. */
function place({ path }) {
	const at = LONGEST.findIndex((name) => path.endsWith(name));
	return at === -1 ? LONGEST.length : at;
}

export default class TestOrder extends Sequencer {
	async sort(tests) {
		return [...(await super.sort(tests))].sort((a, b) => place(a) - place(b));
	}
}
