import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { ExportTarget } from "../../../pipelines/ports/exports.js";
import type { StoredFile } from "../../../pipelines/ports/store.js";
import { isDiskFull } from "../../../pipelines/scratch/disk.js";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import type { ExportedFile } from "../../../schemas/export.js";
import { syncFile, syncFolder } from "../store/folder/durable.js";
import { inFolder } from "../store/folder/paths.js";
import { ExporterFolder } from "./exporter-folder.js";
import { COMPLETION_FILES, nullIfAbsent, readFinished, recordFinished } from "./journal.js";

/**
 * An export in a folder. It is built in a hidden subfolder, which readers of the formats ignore, and moved out by renames,
 * whole folders at a time, when complete. The hidden folder holds `key` (what is being exported), `owner`, `owners/`
 * (whether that one is alive), `done` (a line for every finished file) and `tree/`; it is removed at the end.
 */
const HIDDEN = ".irlake-export";
/** Names at the top of an export: nothing else is ever removed there. */
const EXPORTED =
	/^(data|images|README\.md|export\.json|index\.json|(train|valid|test)\.json|metadata-\w+\.parquet|\w+-\d+\.tar)$/;

export function openFolderTarget(folder: string): ExportTarget {
	return new FolderTarget(resolve(folder));
}

/** Errors of link() after which the file is copied instead. */
const NO_LINK = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

class FolderTarget implements ExportTarget {
	readonly name: string;
	readonly #hidden: string;
	readonly #own: ExporterFolder;
	readonly #tree: string;
	#temporaryCount = 0;

	constructor(folder: string) {
		this.name = folder;
		this.#hidden = join(folder, HIDDEN);
		this.#own = new ExporterFolder(this.#hidden, folder);
		this.#tree = join(this.#hidden, "tree");
	}

	get(path: string): Promise<Buffer | null> {
		return this.#guard(() => readFile(inFolder(this.name, path)).catch(nullIfAbsent));
	}

	async *list(): AsyncIterable<StoredFile> {
		const entries = await this.#guard(() => filesBelow(this.name, HIDDEN));
		for (const path of entries) {
			const { size } = await this.#guard(() => stat(join(this.name, path)));
			yield { path, bytes: size };
		}
	}

	begin(key: string): Promise<Map<string, ExportedFile>> {
		return this.#guard(async () => {
			await this.#requireExport();
			await mkdir(this.#hidden, { recursive: true });
			await this.#own.lock();
			const begun = await readFile(join(this.#hidden, "key"), "utf8").catch(nullIfAbsent);
			if (begun !== key) {
				for (const name of ["tree", "done"]) await rm(join(this.#hidden, name), { recursive: true, force: true });
				await writeFile(join(this.#hidden, "key"), key);
			}
			await rm(join(this.#hidden, "aside"), { recursive: true, force: true });
			await mkdir(join(this.#hidden, "aside"), { recursive: true });
			await mkdir(this.#tree, { recursive: true });
			return readFinished(join(this.#hidden, "done"), (path) => sizeOf(inFolder(this.#tree, path)));
		});
	}

	async temporaryPath(): Promise<string> {
		this.#temporaryCount += 1;
		return join(this.#hidden, "aside", String(this.#temporaryCount));
	}

	put(file: ExportedFile, local: string): Promise<void> {
		return this.#guard(async () => {
			await this.#own.requireMine();
			const path = inFolder(this.#tree, file.path);
			await mkdir(dirname(path), { recursive: true });
			await syncFile(local);
			await rename(local, path);
			await recordFinished(join(this.#hidden, "done"), file);
		});
	}

	link(path: string, bytes: number, local: () => Promise<string>): Promise<void> {
		return this.#guard(async () => {
			const file = inFolder(this.#tree, path);
			if ((await sizeOf(file)) === bytes) return;
			await mkdir(dirname(file), { recursive: true });
			await rm(file, { force: true });
			const from = await local();
			try {
				await link(from, file);
			} catch (error) {
				const code = systemCode(error);
				if (code === null || !NO_LINK.has(code)) throw error;
				const copy = await this.temporaryPath();
				await copyFile(from, copy, constants.COPYFILE_FICLONE);
				await syncFile(copy);
				await rename(copy, file);
			}
		});
	}

	publish(last: string[]): Promise<void> {
		return this.#guard(async () => {
			await this.#own.requireMine();
			await this.#moveOldAway();
			const staged = (await readdir(this.#tree)).sort();
			const first = staged.filter((name) => !last.includes(name));
			for (const name of [...first, ...last.filter((one) => staged.includes(one))]) {
				await rename(join(this.#tree, name), join(this.name, name));
				await syncFolder(this.name);
			}
			await this.#own.remove();
		});
	}

	tidy(): Promise<void> {
		return this.#guard(() => this.#own.tidy());
	}

	close(): Promise<void> {
		return this.#own.close();
	}

	/** Moves an earlier export into the hidden folder, first the files that mark it as complete. */
	async #moveOldAway(): Promise<void> {
		const names = (await readdir(this.name)).filter((name) => EXPORTED.test(name));
		names.sort((a, b) => Number(COMPLETION_FILES.has(b)) - Number(COMPLETION_FILES.has(a)));
		const away = join(this.#hidden, "old");
		await rm(away, { recursive: true, force: true });
		await mkdir(away);
		for (const name of names) {
			await rename(join(this.name, name), join(away, name));
			await syncFolder(this.name);
		}
	}

	/** Throws OUT_NOT_EMPTY if the folder holds files but no export. */
	async #requireExport(): Promise<void> {
		const names = (await readdir(this.name).catch(nullIfAbsent)) ?? [];
		if (names.length === 0 || names.includes(HIDDEN) || names.includes("export.json")) return;
		throw new LakeError(
			"OUT_NOT_EMPTY",
			`The folder ${this.name} holds other files: ${names.sort().slice(0, 3).join(", ")}.`,
			{ path: this.name },
		);
	}

	async #guard<T>(work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw targetError(error, this.name);
		}
	}
}

async function sizeOf(path: string): Promise<number | null> {
	const about = await stat(path).catch(nullIfAbsent);
	return about?.isFile() ? about.size : null;
}

function targetError(error: unknown, folder: string): unknown {
	const code = systemCode(error);
	if (error instanceof LakeError || code === null) return error;
	const full = isDiskFull(error);
	const details = { path: folder, cause: error };
	if (full) return new LakeError("NO_SPACE", `The disk of the export folder ${folder} is full.`, details);
	return new LakeError("OUT_UNWRITABLE", `The export folder ${folder} cannot be written to (${code}).`, details);
}

/** All files below a folder, except those in its subfolder `hidden`. */
async function filesBelow(folder: string, hidden: string): Promise<string[]> {
	const entries = (await readdir(folder, { withFileTypes: true, recursive: true }).catch(nullIfAbsent)) ?? [];
	const paths = entries
		.filter((entry) => entry.isFile())
		.map((entry) => relative(folder, join(entry.parentPath, entry.name)));
	return paths.map((path) => path.split(sep).join("/")).filter((path) => !path.startsWith(`${hidden}/`));
}
