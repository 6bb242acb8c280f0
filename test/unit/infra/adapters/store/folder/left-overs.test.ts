import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openFolderProbe } from "../../../../../../infra/adapters/store/folder/probe.js";
import { openFolderStore } from "../../../../../../infra/adapters/store/folder/store.js";
import { DEAD_SECONDS } from "../../../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../../../pipelines/scratch/owner.js";
import { ELSEWHERE, markElsewhere, setBack } from "../../../../../support/namespace.js";
import { tempDir } from "../../../../../support/root.js";

/** What writers leave aside in a lake goes when they are dead, on whatever machine, and not before. */

let lake: ReturnType<typeof tempDir>;
let own: string;
beforeEach(() => {
	lake = tempDir("left-overs");
	own = join(lake.path, ".irlake");
});
afterEach(() => lake.remove());

function leave(owner: string): void {
	mkdirSync(join(own, "staged", owner), { recursive: true });
	mkdirSync(join(own, "tmp"), { recursive: true });
	writeFileSync(join(own, "tmp", `${owner}.1`), "aside");
}

const left = () => ["staged", "tmp"].flatMap((folder) => readdirSync(join(own, folder)));

test("those of another machine stay while their owner touches its mark, and go a minute later", async () => {
	leave(ELSEWHERE);
	markElsewhere(own, DEAD_SECONDS - 5);
	await openFolderStore(lake.path).dropStaged();
	expect(left()).toEqual([ELSEWHERE, `${ELSEWHERE}.1`]);
	markElsewhere(own, DEAD_SECONDS + 1);
	await openFolderStore(lake.path).dropStaged();
	expect(left()).toEqual([]);
	expect(readdirSync(join(own, "owners"))).toEqual([]);
});

test("those of release 0.1.0 on another machine go a week after they were last changed", async () => {
	leave("7-99-00000000");
	setBack(join(own, "tmp/7-99-00000000.1"), 8 * 24 * 3600);
	await openFolderStore(lake.path).dropStaged();
	expect(left()).toEqual(["7-99-00000000"]);
});

test("whoever puts, or is about to stage, has left its mark", async () => {
	const putting = openFolderStore(lake.path);
	expect(existsSync(join(own, "owners"))).toBe(false);
	await putting.putIfAbsent("a.json", Buffer.from("{}"));
	expect(readdirSync(join(own, "owners"))).toEqual([ownerId()]);
	const staging = openFolderStore(join(lake.path, "other"));
	staging.beginStaging();
	expect(readdirSync(join(lake.path, "other/.irlake/owners"))).toEqual([ownerId()]);
});

test("a room for trying out writes has its owner's mark, and takes it along", async () => {
	writeFileSync(join(lake.path, "latest.json"), "{}");
	const room = await openFolderProbe(lake.path);
	expect(readdirSync(join(own, "owners"))).toEqual([ownerId()]);
	await room.remove();
	expect(readdirSync(lake.path)).toEqual(["latest.json"]);
});
