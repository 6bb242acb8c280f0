import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import type { Artist } from "./artist.js";
import { type PlannedMember, rowsOf, type ShardPlan } from "./plan.js";
import { withXmp } from "./webp.js";
import { DEFLATE, STORED, ZipWriter } from "./zip-writer.js";

export const LAYOUTS = ["zip", "zip-folder", "unpacked", "unpacked-json-beside"] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface WriteOptions {
	layout: Layout;
	/** Side of the drawn pictures in pixels. */
	size: number;
	/** Whether pictures are packed by deflate, not stored. */
	deflate: boolean;
}

/** Writes one shard below `dir`, member by member: only a few pictures are in memory at once. */
export async function writeShard(dir: string, plan: ShardPlan, artist: Artist, options: WriteOptions): Promise<void> {
	if (plan.absent) return;
	const text = plan.jsonText(
		`${JSON.stringify(
			rowsOf(plan).map(({ json }) => json),
			null,
			2,
		)}\n`,
	);
	const json = text === null ? null : Buffer.from(text);
	const contents = memberContents(plan, artist, options.size);
	if (options.layout === "zip" || options.layout === "zip-folder") await writeZip(dir, plan, json, contents, options);
	else await writeFolder(dir, plan, json, contents, options.layout);
}

async function writeZip(
	dir: string,
	plan: ShardPlan,
	json: Buffer | null,
	contents: AsyncIterable<[PlannedMember, Buffer]>,
	options: WriteOptions,
): Promise<void> {
	const path = join(dir, imageRewardDb.layout.zipPath(plan.shard));
	mkdirSync(dirname(path), { recursive: true });
	const folder = options.layout === "zip-folder" ? `${plan.shard}/` : "";
	const zip = new ZipWriter(path);
	try {
		if (plan.zip.prefix) zip.raw(plan.zip.prefix);
		if (folder) zip.folder(folder);
		for await (const [member, content] of contents) {
			zip.add(folder + member.name, content, options.deflate ? DEFLATE : STORED, member.lies?.(content));
		}
		if (json) zip.add(folder + imageRewardDb.layout.jsonName(plan.shard), json, DEFLATE);
		for (const { name, content, lies } of plan.zip.extra ?? []) {
			// Names that climb or are absolute stay as they are; only a duplicate must meet its twin.
			zip.add(plan.members.has(name) ? folder + name : name, content, STORED, lies);
		}
		zip.end(plan.zip.countError ?? 0);
	} finally {
		zip.close();
	}
	if (plan.zip.keep !== undefined) truncateSync(path, Math.floor(statSync(path).size * plan.zip.keep));
}

async function writeFolder(
	dir: string,
	plan: ShardPlan,
	json: Buffer | null,
	contents: AsyncIterable<[PlannedMember, Buffer]>,
	layout: Layout,
): Promise<void> {
	const folder = join(dir, imageRewardDb.layout.folderPath(plan.shard));
	mkdirSync(folder, { recursive: true });
	for await (const [member, content] of contents) writeFileSync(join(folder, member.name), content);
	const place = layout === "unpacked" ? folder : dirname(folder);
	if (json) writeFileSync(join(place, imageRewardDb.layout.jsonName(plan.shard)), json);
}

/** Every member with its bytes, by name: an order that is not the JSON's. */
async function* memberContents(plan: ShardPlan, artist: Artist, size: number): AsyncGenerator<[PlannedMember, Buffer]> {
	const members = [...plan.members.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
	const underWay: Promise<[PlannedMember, Buffer]>[] = [];
	for (const member of members) {
		const making = memberContent(member, artist, size).then((content): [PlannedMember, Buffer] => [member, content]);
		// Awaited below; until then a failure must not count as unheard.
		making.catch(() => {});
		underWay.push(making);
		const first = underWay.length >= artist.width ? underWay.shift() : undefined;
		if (first) yield await first;
	}
	for (const last of underWay) yield await last;
}

async function memberContent(member: PlannedMember, artist: Artist, size: number): Promise<Buffer> {
	const { picture } = member;
	const webp =
		picture.kind === "drawn"
			? await artist.draw({ seed: picture.seed, size, alpha: picture.alpha })
			: withXmp(readFileSync(picture.file), member.name);
	return member.change ? member.change(webp) : webp;
}
