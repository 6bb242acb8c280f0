import { createHash } from "node:crypto";
import { closeSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Content, gitOid, openContent } from "./content.js";
import { HashCache } from "./hashes.js";

export interface Folder {
	oid: string;
}

/** A file or folder at one commit, and the commit that last changed it. */
export interface Entry {
	path: string;
	content: Content | Folder;
	changedIn: { id: string; title: string; date: string };
}

export interface Commit {
	id: string;
	/** ISO 8601 with milliseconds, as the Hub writes `lastModified`. */
	date: string;
	title: string;
	/** Files and folders, sorted by path: a folder stands before what it holds. */
	entries: Entry[];
	byPath: Map<string, Entry>;
}

export const isFile = (entry: Entry): entry is Entry & { content: Content } => "sha256" in entry.content;

const STEP = 60 * 60 * 1000;
const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/**
 * One dataset repo, made from a folder: a scan is a commit, whose id follows from paths and contents alone.
 * Every content ever seen stays open, so older commits are served after their files were replaced by rename.
 */
export class Repo {
	readonly #folder: string;
	readonly #hashes: HashCache;
	readonly #contents = new Map<string, Content>();
	/** Oldest first; the last one is `main`. */
	#commits: Commit[] = [];

	constructor(folder: string, date: string) {
		this.#folder = realpathSync(folder);
		this.#hashes = new HashCache(this.#folder);
		this.#commit(date);
	}

	get head(): Commit {
		const head = this.#commits.at(-1);
		if (head === undefined) throw new Error("a repo has at least one commit");
		return head;
	}

	/** The commit that a branch name or commit id means, or undefined. */
	find(revision: string): Commit | undefined {
		if (revision === "main" || revision === "refs/heads/main") return this.head;
		return this.#commits.find((commit) => commit.id === revision);
	}

	/** The commits that `commit` stands on, itself first. */
	history(commit: Commit): Commit[] {
		return this.#commits.slice(0, this.#commits.indexOf(commit) + 1).reverse();
	}

	/** Content by its SHA-256, whatever commit it belongs to. */
	content(sha256: string): Content | undefined {
		return this.#contents.get(sha256);
	}

	/** Scans the folder again; `main` moves if anything differs. Without a date, one hour after the last commit. */
	reload(date: string | undefined): Commit {
		return this.#commit(date ?? new Date(Date.parse(this.head.date) + STEP).toISOString());
	}

	#commit(date: string): Commit {
		const files = this.#scan();
		const { folders, root } = treeOids(files);
		const id = createHash("sha1").update(`commit of ${root}`).digest("hex");
		const before = this.#commits.at(-1);
		if (before?.id === id) return before;
		const title = before === undefined ? "Upload dataset" : `Update dataset (${this.#commits.length})`;
		const all: [string, Content | Folder][] = [...files, ...folders];
		const entries = all
			.sort(([a], [b]) => byCodeUnit(a, b))
			.map(([path, content]): Entry => {
				const old = before?.byPath.get(path);
				return old?.content.oid === content.oid ? old : { path, content, changedIn: { id, title, date } };
			});
		const commit = { id, date, title, entries, byPath: new Map(entries.map((entry) => [entry.path, entry])) };
		this.#commits = [...this.#commits.filter((other) => other.id !== id), commit];
		return commit;
	}

	#scan(): Map<string, Content> {
		const files = new Map<string, Content>();
		const seen: { key: string; sha256: string; size: number }[] = [];
		for (const path of listFiles(this.#folder, "")) {
			const file = join(this.#folder, path);
			const stat = statSync(file, { bigint: true });
			const key = `${path}\0${stat.size}\0${stat.mtimeNs}\0${stat.ctimeNs}\0${stat.ino}`;
			const size = Number(stat.size);
			const content = this.#keep(openContent(file, path, size, this.#hashes.get(key)));
			seen.push({ key, sha256: content.sha256, size });
			files.set(path, content);
		}
		this.#hashes.replace(seen);
		return files;
	}

	/** The first descriptor of a content is kept, later ones are closed. */
	#keep(content: Content): Content {
		const known = this.#contents.get(content.sha256);
		if (known === undefined) {
			this.#contents.set(content.sha256, content);
			return content;
		}
		closeSync(content.fd);
		// The same bytes under a name without LFS are another git object.
		return { ...content, fd: known.fd };
	}
}

function* listFiles(folder: string, prefix: string): Generator<string> {
	for (const name of readdirSync(join(folder, prefix)).sort(byCodeUnit)) {
		const path = prefix === "" ? name : `${prefix}/${name}`;
		const stat = statSync(join(folder, path));
		if (stat.isDirectory()) yield* listFiles(folder, path);
		else if (stat.isFile()) yield path;
	}
}

/** Git's tree objects of all folders, deepest first, and of the root. */
function treeOids(files: Map<string, Content>): { folders: Map<string, Folder>; root: string } {
	const children = new Map<string, Map<string, { mode: string; oid: string }>>([["", new Map()]]);
	const folderOf = (path: string) => {
		let found = children.get(path);
		if (found === undefined) {
			found = new Map();
			children.set(path, found);
			folderOf(parentOf(path));
		}
		return found;
	};
	for (const [path, content] of files) {
		folderOf(parentOf(path)).set(path.slice(path.lastIndexOf("/") + 1), { mode: "100644", oid: content.oid });
	}
	const folders = new Map<string, Folder>();
	let root = "";
	const depth = (path: string) => (path === "" ? 0 : path.split("/").length);
	for (const path of [...children.keys()].sort((a, b) => depth(b) - depth(a))) {
		const oid = treeOid(folderOf(path));
		if (path === "") root = oid;
		else {
			folders.set(path, { oid });
			folderOf(parentOf(path)).set(path.slice(path.lastIndexOf("/") + 1), { mode: "40000", oid });
		}
	}
	return { folders, root };
}

/** Git sorts a folder's name as if it ended with a slash. */
function treeOid(members: Map<string, { mode: string; oid: string }>): string {
	const sortName = ([name, { mode }]: [string, { mode: string }]) => (mode === "40000" ? `${name}/` : name);
	const sorted = [...members].sort((a, b) => Buffer.compare(Buffer.from(sortName(a)), Buffer.from(sortName(b))));
	const parts = sorted.flatMap(([name, { mode, oid }]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
	return gitOid("tree", Buffer.concat(parts));
}
