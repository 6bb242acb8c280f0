import { parentPort } from "node:worker_threads";
import { type PictureSpec, pictureWebp } from "./picture.js";

/** Draws one picture for each message, and answers with its bytes. */
parentPort?.on("message", (spec: PictureSpec) => {
	const webp = new Uint8Array(pictureWebp(spec));
	parentPort?.postMessage(webp, [webp.buffer]);
});
