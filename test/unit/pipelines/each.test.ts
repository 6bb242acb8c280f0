import { expect, test } from "@jest/globals";
import { each } from "../../../pipelines/each.js";

/** Many items are worked on some at a time: begun in order, never more than allowed, and all over when one has failed. */

/** Work that ends when it is told to. */
class Desk {
	readonly begun: number[] = [];
	open = 0;
	most = 0;
	readonly #ends = new Map<number, (error?: Error) => void>();

	work = async (item: number): Promise<void> => {
		this.begun.push(item);
		this.open += 1;
		this.most = Math.max(this.most, this.open);
		try {
			await new Promise<void>((resolve, reject) => {
				this.#ends.set(item, (error) => (error ? reject(error) : resolve()));
			});
		} finally {
			this.open -= 1;
		}
	};

	async end(item: number, error?: Error): Promise<void> {
		this.#ends.get(item)?.(error);
		await turn();
	}
}

/** Whatever can go on has gone on. */
function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

test("no more than the width are under way, and they begin in the items' order", async () => {
	const desk = new Desk();
	const done = each([1, 2, 3, 4, 5], 2, desk.work);
	expect(desk.begun).toEqual([1, 2]);
	await desk.end(2);
	expect(desk.begun).toEqual([1, 2, 3]);
	for (const item of [1, 3, 4, 5]) await desk.end(item);
	await done;
	expect(desk).toMatchObject({ begun: [1, 2, 3, 4, 5], most: 2, open: 0 });
});

test("items are taken when their turn comes, not before", async () => {
	let taken = 0;
	function* items() {
		for (; taken < 10; ) yield ++taken;
	}
	const desk = new Desk();
	const done = each(items(), 3, desk.work);
	expect(taken).toBe(3);
	for (let item = 1; item <= 10; item++) await desk.end(item);
	await done;
	expect(taken).toBe(10);
});

test("after the first error nothing more begins, and it is thrown when all that was begun has ended", async () => {
	const desk = new Desk();
	let over = false;
	const done = each([1, 2, 3, 4], 2, desk.work).finally(() => {
		over = true;
	});
	const caught = expect(done).rejects.toThrow("first");
	await desk.end(1, new Error("first"));
	expect({ begun: desk.begun, over }).toEqual({ begun: [1, 2], over: false });
	await desk.end(2, new Error("second"));
	await caught;
	expect(desk.begun).toEqual([1, 2]);
});

test("work that is under way hears of the first error", async () => {
	const heard = await new Promise<unknown>((resolve) => {
		const work = (item: number, stop: AbortSignal): Promise<void> => {
			if (item === 2) return Promise.reject(new Error("first"));
			return new Promise((_, reject) => {
				stop.addEventListener("abort", () => {
					resolve(stop.reason);
					reject(stop.reason);
				});
			});
		};
		each([1, 2], 2, work).catch(() => {});
	});
	expect(heard).toEqual(new Error("first"));
});

test("the signal stops it: nothing more begins, and its reason is thrown", async () => {
	const control = new AbortController();
	const desk = new Desk();
	const done = each([1, 2, 3], 1, desk.work, control.signal);
	const caught = expect(done).rejects.toThrow("interrupted");
	control.abort(new Error("interrupted"));
	await desk.end(1);
	await caught;
	expect(desk.begun).toEqual([1]);
	await expect(each([1], 1, desk.work, control.signal)).rejects.toThrow("interrupted");
	expect(desk.begun).toEqual([1]);
});

test("items that fail to come are an error like any other", async () => {
	function* items(): Generator<number> {
		yield 1;
		throw new Error("no more");
	}
	await expect(each(items(), 2, async () => {})).rejects.toThrow("no more");
});
