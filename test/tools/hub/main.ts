import { parseOptions, USAGE } from "./options.js";
import { startServer } from "./server.js";

function readCommandLine(): ReturnType<typeof parseOptions> {
	try {
		return parseOptions(process.argv.slice(2));
	} catch (error) {
		process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
		process.exit(2);
	}
}

const command = readCommandLine();
if (command === "help") {
	process.stdout.write(USAGE);
	process.exit(0);
}
const { folder, options } = command;
const hub = await startServer(folder, options);
const end = () => {
	hub.close();
	process.exit(0);
};
process.once("SIGTERM", end);
process.once("SIGINT", end);
if (options.stdin) process.stdin.once("close", end).resume();
process.stdout.write(`${JSON.stringify({ endpoint: hub.endpoint, cdn: hub.cdn, commit: hub.commit })}\n`);
