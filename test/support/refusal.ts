import { LakeError } from "../../schemas/errors.js";

/** The error that refuses; throws where the work is not refused, or fails otherwise. */
export function refusal(work: () => unknown): LakeError {
	try {
		work();
	} catch (error) {
		if (error instanceof LakeError) return error;
		throw error;
	}
	throw new Error("nothing was thrown");
}
