import type { Archive, Member, ShardFiles } from "../../../pipelines/ports/archive.js";

/** The folder of the zip that is the shard's own, with its slash, or "" for the root. */
function shardFolder(names: string[], { json, folder }: ShardFiles): string {
	const own = `${folder}/`;
	if (names.includes(json)) {
		return names.every((name) => name === json || name.startsWith(own)) ? own : "";
	}
	const nested = names.filter((name) => name.endsWith(`/${json}`) && name.indexOf("/") === name.lastIndexOf("/"));
	const chosen = nested.includes(own + json) ? own + json : nested[0];
	if (chosen !== undefined) return chosen.slice(0, -json.length);
	const top = names[0]?.split("/", 1)[0];
	return top !== undefined && names.every((name) => name.startsWith(`${top}/`)) ? `${top}/` : "";
}

/**
 * Names a shard's files relative to its folder and sets its JSON apart. The folder is where that lies (the
 * root, or one level down); beside a JSON at the root it is the folder of the shard's name if all else lies there; without a JSON it is
 * the one top folder that holds everything. Files outside the folder keep their names.
 */
export function toArchive(files: Member[], own: ShardFiles): Archive {
	const names = files.map((file) => file.name);
	const folder = shardFolder(names, own);
	const jsonName = names.includes(own.json) ? own.json : `${folder}${own.json}`;
	let json: Member | null = null;
	const members: Member[] = [];
	for (const file of files) {
		const name = file.name.startsWith(folder) ? file.name.slice(folder.length) : file.name;
		if (file.name === jsonName) json = { name, ref: file.ref };
		else members.push({ name, ref: file.ref });
	}
	return { json, members };
}

/** A name that two members have once the shard's folder is left out, or null. */
export function sharedName(members: Member[]): string | null {
	const seen = new Set<string>();
	for (const { name } of members) {
		if (seen.has(name)) return name;
		seen.add(name);
	}
	return null;
}
