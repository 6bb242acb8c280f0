import type { Archive, Member } from "../../../pipelines/ports/archive.js";
import type { LooseFile } from "../../../pipelines/ports/source.js";

function toMember(file: LooseFile): Member {
	return { name: file.name, ref: { kind: "file", path: file.path, bytes: file.bytes } };
}

/** An unpacked shard as an archive: its files sorted by name, the JSON apart. */
export function openLoose(files: LooseFile[], json: LooseFile | null): Archive {
	const others = files.filter((file) => file.path !== json?.path);
	others.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
	return { json: json === null ? null : toMember(json), members: others.map(toMember) };
}
