import { allShards } from "../../../pipelines/dataset.js";
import { tableFile } from "../../../pipelines/lake/paths.js";
import { claimedSnapshot } from "../../../pipelines/lake/publish.js";
import { readReceipts } from "../../../pipelines/lake/receipt.js";
import { readLatestSnapshot } from "../../../pipelines/lake/snapshot.js";
import { orDamage, readFirstKept } from "../../../pipelines/lake/vacuum-records.js";
import { wholeSnapshots } from "../../../pipelines/vacuum/survey.js";
import { LakeError } from "../../../schemas/errors.js";
import type { Receipt, Snapshot } from "../../../schemas/records.js";
import { pause } from "../../abortable.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { QueueOptions } from "../../command-line/options.js";
import { FleetWatch, fleetDocument, sayFleet } from "../../fleet/fleet-status.js";
import { Interrupted } from "../../interrupt.js";
import { countedText, placeText, sizeText, tableText, wrapText } from "../../report/format.js";
import { selectionText, uncheckedZips } from "../../report/summary.js";
import { Session, type SessionOptions } from "../../session.js";
import type { LakeStore } from "../../wire.js";

type Options = SessionOptions & QueueOptions & { watch: boolean };

const WATCH_MS = 2000;
/** Cursor to the top, screen cleared. */
const CLEAR = `${String.fromCharCode(27)}[H${String.fromCharCode(27)}[2J`;

/** `irlake status`: the lake's snapshots, counts and missing shards; the queue's runs, shards and workers. */
export async function status(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, say, signal } = context;
	if (options.watch && context.json) throw new LakeError("USAGE", "--watch cannot stand beside --json.");
	const watch = new FleetWatch(context);
	try {
		for (;;) {
			const [lake, fleet] = await Promise.all([readLake(context), watch.read()]);
			if (options.watch && process.stdout.isTTY) process.stdout.write(CLEAR);
			for (const line of lake.lines) say(line);
			sayFleet(fleet, say);
			if (!options.watch) return { exit: 0, document: { ...lake.document, ...fleetDocument(fleet) } };
			await pause(WATCH_MS, signal);
		}
	} catch (error) {
		// Ctrl-C is how one stops watching.
		if (!(error instanceof Interrupted && options.watch)) throw error;
		return { exit: 0, document: {} };
	} finally {
		await watch.close();
	}
}

interface LakeStatus {
	lines: string[];
	document: Record<string, unknown>;
}

/** Whether vacuum left a snapshot whole; null where its record of that is damaged, and the newest does not tell. */
type IsWhole = (number: number) => boolean | null;

function isWhole(snapshots: Snapshot[], newest: number, firstKept: number | LakeError): IsWhole {
	const damaged = firstKept instanceof LakeError;
	const whole = wholeSnapshots(snapshots, damaged ? newest : firstKept);
	return (number) => whole.has(number) || (damaged ? null : false);
}

async function readLake(context: CommandContext<Options>): Promise<LakeStatus> {
	const lines: string[] = [];
	const say = (line: string): void => void lines.push(line);
	const { options } = context;
	await using session = await Session.open(context);
	const { store, dataset } = session;
	const latest = await readLatestSnapshot(store);
	if (!latest) {
		say(`${options.lake}: no lake here yet`);
		return {
			lines,
			document: { lake: { path: options.lake, exists: false, latest: null, snapshots: [], missing: [] } },
		};
	}
	const snapshots: { path: string; snapshot: Snapshot }[] = [];
	for (let number = 1; number < latest.snapshot.number; number++) {
		const stored = await claimedSnapshot(store, number);
		if (stored) snapshots.push(stored);
	}
	snapshots.push(latest);
	const firstKept = await orDamage(readFirstKept(store));
	const whole = isWhole(
		snapshots.map(({ snapshot }) => snapshot),
		latest.snapshot.number,
		firstKept,
	);
	const unfinished = await claimedSnapshot(store, latest.snapshot.number + 1);
	const present = new Set(latest.snapshot.shards.map(({ shard }) => shard));
	const missing = allShards(dataset).filter((shard) => !present.has(shard));
	const { counts } = latest.snapshot;
	say(`${options.lake}: snapshot ${latest.snapshot.number}, subset ${latest.snapshot.subset}`);
	const own = dataset.tables.list.map(({ name }) => countedText(counts[name] ?? 0, name.replace(/s$/, "")));
	const images = `${countedText(counts.rows_published, "image")} (${sizeText(counts.objects_bytes)})`;
	say([countedText(counts.shards, "shard"), images, ...own].join(", "));
	const receipts = await selectedReceipts(store, latest.snapshot);
	const selection = selectionText(latest.snapshot, receipts);
	if (selection) say(selection);
	const where = counts.rows_rejected > 0 ? `: see ${placeText(options.lake, tableFile.tableFolder("quarantine"))}` : "";
	say(`${countedText(counts.rows_rejected, "row")} rejected${where}\n`);
	const rows = snapshots.map(({ snapshot }) => [
		`${snapshot.number}`,
		snapshot.source.commit?.slice(0, 12) ?? "-",
		snapshot.source.committed_at ?? "-",
		snapshot.counts.shards,
		snapshot.counts.rows_published,
		{ true: "", false: "vacuumed", null: "unknown" }[`${whole(snapshot.number)}`],
	]);
	say(tableText([["snapshot", "commit", "committed at", "shards", "images", ""], ...rows]));
	if (firstKept instanceof LakeError)
		for (const line of wrapText(`${firstKept.message} ${firstKept.hint}`, 80)) say(line);
	if (missing.length > 0)
		say(
			`\nnot in the lake: ${countedText(missing.length, "shard")} (${missing.slice(0, 4).join(", ")}${missing.length > 4 ? ", …" : ""})`,
		);
	for (const { shard, code } of latest.snapshot.skipped) say(`skipped: ${shard} (${code})`);
	if (unfinished)
		say(
			`\nsnapshot ${unfinished.snapshot.number} is being published, or was left half-way: the next mirror finishes it`,
		);
	return {
		lines,
		document: {
			lake: {
				path: options.lake,
				exists: true,
				latest: {
					number: latest.snapshot.number,
					snapshot: latest.path,
					subset: latest.snapshot.subset,
					source: latest.snapshot.source,
					settings: latest.snapshot.settings,
					counts,
					skipped: latest.snapshot.skipped,
					...(selection ? { zips_unchecked: uncheckedZips(receipts) } : {}),
				},
				snapshots: snapshots.map(({ path, snapshot }) => ({
					number: snapshot.number,
					snapshot: path,
					commit: snapshot.source.commit,
					committed_at: snapshot.source.committed_at,
					shards: snapshot.counts.shards,
					images: snapshot.counts.rows_published,
					whole: whole(snapshot.number),
				})),
				missing,
				...(firstKept instanceof LakeError ? { damaged: firstKept.path } : {}),
				unfinished: unfinished?.snapshot.number ?? null,
			},
		},
	};
}

/** Of a lake with a predicate: they tell what was fetched in parts. */
async function selectedReceipts(store: LakeStore, { settings, shards }: Snapshot): Promise<Receipt[]> {
	if (settings.where === null) return [];
	const paths = shards.map(({ receipt }) => receipt);
	return [...(await readReceipts(store, paths)).values()];
}
