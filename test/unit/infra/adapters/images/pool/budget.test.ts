import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import { Budget } from "../../../../../../infra/adapters/images/pool/budget.js";

const MODULE = new URL("../../../../../../infra/adapters/images/pool/budget.js", import.meta.url).href;

/** Takes and returns shares of many sizes, and notes in `held` [now, most] how much all threads hold. */
const THREAD = `
import { workerData } from "node:worker_threads";
const { Budget } = await import(workerData.module);
const budget = new Budget(workerData.memory, workerData.total);
const held = new Int32Array(workerData.held);
const pause = new Int32Array(new SharedArrayBuffer(4));
for (let i = 0; i < 300; i++) {
	const share = await budget.acquire(1024 * (1 + ((i * 7919 + workerData.thread * 31) % 130)));
	const now = Atomics.add(held, 0, share) + share;
	for (let most = Atomics.load(held, 1); now > most; ) most = Atomics.compareExchange(held, 1, most, now) === most ? now : Atomics.load(held, 1);
	Atomics.wait(pause, 0, 0, 0.05);
	Atomics.sub(held, 0, share);
	budget.release(share);
}
`;

test("threads never hold more than the budget together, and all of it comes back", async () => {
	const total = 100 * 1024;
	const memory = Budget.memory(total);
	const held = new SharedArrayBuffer(8);
	const threads = Array.from({ length: 4 }, (_, thread) => {
		const workerData = { module: MODULE, memory, total, held, thread };
		const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`), { workerData });
		return new Promise<number>((resolve, reject) => worker.on("exit", resolve).on("error", reject));
	});
	expect(await Promise.all(threads)).toEqual([0, 0, 0, 0]);
	const [now, most] = new Int32Array(held);
	expect(now).toBe(0);
	expect(most).toBeLessThanOrEqual(100);
	expect(most).toBeGreaterThan(50);
	// More than all there is takes all there is, at once when nobody holds any.
	expect(await new Budget(memory, total).acquire(Number.MAX_SAFE_INTEGER)).toBe(100);
});

test("one thread holds one share at a time: the second is given when the first is returned", async () => {
	const total = 100 * 1024;
	const budget = new Budget(Budget.memory(total), total);
	const first = await budget.acquire(80 * 1024);
	let given: number | null = null;
	const second = budget.acquire(60 * 1024).then((share) => {
		given = share;
	});
	const third = budget.acquire(60 * 1024);
	await new Promise(setImmediate);
	expect(given).toBeNull();
	budget.release(first);
	await second;
	expect(given).toBe(60);
	budget.release(60);
	expect(await third).toBe(60);
});
