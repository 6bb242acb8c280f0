import { existsSync } from "node:fs";
import { afterAll, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { Session, type SessionContext } from "../../../workers/session.js";
import { tempDir } from "../../support/root.js";

/** A session opens each thing once and late, closes in the opposite order, and nothing is opened that nobody would close. */

const temp = tempDir("session");
afterAll(() => temp.remove());

function context(notes: string[] = []): SessionContext {
	return {
		options: { lake: `${temp.path}/lake`, scratch: `${temp.path}/scratch` },
		datasets: [imageRewardDb],
		env: {},
		note: (_, message) => void notes.push(message),
		signal: new AbortController().signal,
	};
}

test("what is asked for twice is opened once; a session that leaves nothing works in a folder that goes with it", async () => {
	const session = await Session.open(context(), { leavesNothing: true });
	const work = await session.work();
	expect(await session.work()).toBe(work);
	expect(await session.tables()).toBe(await session.tables());
	expect(existsSync(work)).toBe(true);
	await session.close();
	expect([existsSync(work), existsSync(`${temp.path}/lake`), existsSync(`${temp.path}/scratch`)]).toEqual([
		false,
		false,
		false,
	]);
});

test("it closes in the opposite order, to the end, and tells what could not be closed", async () => {
	const notes: string[] = [];
	const session = await Session.open(context(notes));
	const closed: string[] = [];
	session.atEnd(async () => void closed.push("first"));
	session.atEnd(() => Promise.reject(new Error("stuck")));
	session.atEnd(async () => void closed.push("last"));
	await session.close();
	expect(closed).toEqual(["last", "first"]);
	expect(notes).toEqual(["Not all could be closed."]);
});

test("a closed session opens nothing more", async () => {
	const session = await Session.open(context());
	await session.close();
	await expect(session.tables()).rejects.toMatchObject({ code: "INTERNAL" });
});

test("the dataset is that of the source's repository, else the first; the source is the dataset's own where none is given", async () => {
	const other = { ...imageRewardDb, name: "other", repo: "somebody/other", formerRepos: ["somebody/older"] };
	const datasets = [imageRewardDb, other] as const;
	const of = async (source?: string) => {
		const session = await Session.open({ ...context(), datasets, options: { ...context().options, source } });
		return [session.dataset.name, session.sourceUri];
	};
	expect(await of()).toEqual(["imagereward-db", "hf://zai-org/ImageRewardDB@main"]);
	expect(await of("hf://somebody/older@main")).toEqual(["other", "hf://somebody/older@main"]);
	expect(await of("./copy")).toEqual(["imagereward-db", "./copy"]);
});
