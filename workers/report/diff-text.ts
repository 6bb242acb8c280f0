import type { Change, Changes, ValueChange } from "../../pipelines/diff/changes.js";
import type { Diff, RowChange, Side } from "../../pipelines/diff/diff.js";
import { shown } from "../../pipelines/text.js";
import { countedText, countText, tableText, wrapText } from "./format.js";

/** What differs, for people: totals first, then the first of each kind. 80 columns. */

const WIDTH = 80;
/** Most characters of a value. */
const SHOWN = 32;
const SIGNS: Record<Change, string> = { added: "+", removed: "-", changed: "~" };

export function diffText(diff: Diff, lake: string): string {
	const parts = [`before  ${sideText(diff.before, lake)}\nafter   ${sideText(diff.after, lake)}`];
	if (diff.equal) return `${parts.join("\n")}\n\nnothing differs`;
	if (diff.settings.length > 0) parts.push(`settings\n${indented(diff.settings.flatMap(valueText))}`);
	if (diff.shards.length > 0) parts.push(shardsText(diff));
	const kinds = [...Object.entries(diff.rows), ["pictures", diff.images] as const];
	const totals = kinds.map(([name, { added, removed, changed }]) => [name, added.count, removed.count, changed.count]);
	parts.push(tableText([["rows of", "added", "removed", "changed"], ...totals], ""));
	for (const [table, changes] of Object.entries(diff.rows)) parts.push(...listText(table, changes, rowText));
	parts.push(...listText("pictures", diff.images, (image) => wrapped(image.image_path)));
	if (diff.findings.length > 0) parts.push(`findings\n${countsText(diff.findings)}`);
	if (diff.counts.length > 0) parts.push(`counts\n${countsText(diff.counts)}`);
	if (diff.unknown.length > 0) parts.push(unknownText(diff));
	return parts.join("\n\n");
}

function sideText({ what, number, uri, commit }: Side, lake: string): string {
	const at = commit === null ? "" : ` at ${commit.slice(0, 12)}`;
	const told = what === "source" ? `the source: ${uri}${at}` : `snapshot ${number} of ${lake}, from ${uri}${at}`;
	return wrapText(told, WIDTH - 8).join("\n        ");
}

function countsText(values: ValueChange[]): string {
	const rows = values.map(({ name, before, after }) => [name, before ?? "-", after ?? "-"]);
	return tableText([["", "before", "after"], ...rows]);
}

/** Texts that begin alike are shown from where they part. */
function valueText({ name, before, after }: ValueChange): string[] {
	const [from, to] = [String(before), String(after)];
	let same = 0;
	while (same < from.length && from[same] === to[same]) same++;
	const skipped = same > SHOWN / 2 && Math.max(from.length, to.length) > SHOWN ? same - SHOWN / 4 : 0;
	const cut = (value: ValueChange["before"], text: string): string => {
		if (typeof value !== "string") return String(value ?? "-");
		return `${skipped > 0 ? "…" : ""}${shown(text.slice(skipped), SHOWN)}`;
	};
	return wrapped(`${name}: ${cut(before, from)} → ${cut(after, to)}`);
}

function indented(lines: string[]): string {
	return lines.map((line) => `  ${line}`).join("\n");
}

function shardsText({ shards }: Diff): string {
	const lines = shards.map(({ shard, change, why }) => {
		const reasons = why.length > 0 ? `: ${why.join(", ")}` : "";
		return `  ${SIGNS[change]} ${shard.padEnd(12)}  ${change}${reasons}`;
	});
	return `${countedText(shards.length, "shard")}\n${lines.join("\n")}`;
}

/** The first of each kind, under one head; nothing where there are none. */
function listText<T>(name: string, changes: Changes<T>, text: (item: T) => string[]): string[] {
	const lines = (["added", "removed", "changed"] as const).flatMap((change) => {
		const { count, first } = changes[change];
		const more = count - first.length;
		const told = first.flatMap((item) => {
			const [head = "", ...rest] = text(item);
			return [`  ${SIGNS[change]} ${head}`, ...rest.map((line) => `    ${line}`)];
		});
		return more > 0 ? [...told, `  … and ${countText(more)} more ${change}: see them all with --limit 0`] : told;
	});
	return lines.length > 0 ? [`${name}\n${lines.join("\n")}`] : [];
}

/** A row's key on the first lines, then the columns that differ. */
function rowText({ shard, key, columns }: RowChange): string[] {
	const { code, image_path, member, detail, severity: _, row: __, bytes: ___, sha256: ____, ...own } = key;
	const values = Object.values(own);
	const [head, ...more] = code
		? [code, image_path ?? member ?? values[0], detail]
		: image_path
			? [image_path]
			: values.length === 1
				? [`${shard}  ${values[0]}`]
				: values;
	const rest = more.filter((text) => text !== null && text !== undefined).map(String);
	return [...wrapped(String(head)), ...rest.flatMap(wrapped), ...columns.flatMap(valueText)];
}

/** What comes from the data must not steer the terminal. */
function wrapped(text: string): string[] {
	return wrapText(text.replace(/\p{Cc}/gu, "\uFFFD"), WIDTH - 4);
}

function unknownText({ unknown }: Diff): string {
	const lines = unknown.flatMap(({ shard, what, count, why }) => {
		const how = count === null ? what : `${countText(count)} ${what}`;
		return wrapped(`${shard}, ${how}: ${why}`).map((line, index) => `${index === 0 ? "  ? " : "    "}${line}`);
	});
	return `not known without downloading\n${lines.join("\n")}`;
}
