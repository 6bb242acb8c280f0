import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FolderStage } from "../../infra/adapters/store/folder/stage.js";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import type { LakeStore } from "../../workers/wire.js";
import { sealed } from "./sealed.js";

/** A process of its own, writing to a lake in a folder. `store-child.js race|write <lake> <name> <scratch>` */

const [, , mode, lake = "", name = "", scratch = ""] = process.argv;

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}

/** Claims 40 records that others claim too, and says which it got. */
async function race(store: LakeStore): Promise<void> {
	say("ready");
	await new Promise((resolve) => process.stdin.once("data", resolve));
	const won: number[] = [];
	for (let i = 0; i < 40; i++) {
		if (await store.putIfAbsent(`claims/deep/${i}.json`, Buffer.from(`${name} ${i}`))) won.push(i);
	}
	say(JSON.stringify(won));
	process.stdin.destroy();
}

/** Writes every kind of file without end, a line before each step, until it is killed. */
async function write(store: LakeStore): Promise<void> {
	const stage = new FolderStage(store.stage.folder);
	mkdirSync(scratch, { recursive: true });
	for (let i = 0; ; i++) {
		say(`put ${i}`);
		await store.putIfAbsent(`receipts/${name}/${i}.json`, sealed(`put ${name} ${i}`, 200_000));
		say(`replace ${i}`);
		await store.replace("latest.json", sealed(`latest ${name} ${i}`, 300_000), await store.get("latest.json"));
		say(`move ${i}`);
		const local = join(scratch, `${name}-${i}.parquet`);
		writeFileSync(local, sealed(`file ${name} ${i}`, 400_000));
		await store.putFile(`tables/images/${name}-${i}.parquet`, local);
		say(`stage ${i}`);
		const key = `objects/sha256/aa/${name}-${i}.webp`;
		await stage.stage(key, sealed(`object ${name} ${i}`, 300_000));
		await stage.stage(`objects/sha256/aa/${name}-${i}-never.webp`, sealed(`never ${i}`, 1000));
		say(`publish ${i}`);
		await store.publishObjects([key]);
	}
}

const store = openFolderStore(lake);
await (mode === "race" ? race(store) : write(store));
