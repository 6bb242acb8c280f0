import koffi from "koffi";

/** From <fcntl.h>: these bytes will not be wanted again soon. */
const DONTNEED = 4;

type Advise = (fd: number, offset: number, length: number, advice: number) => number;

/** The system's posix_fadvise, or null where it has none (macOS, Windows). */
function find(): Advise | null {
	try {
		return koffi.load(null).func("posix_fadvise", "int", ["int", "int64_t", "int64_t", "int"]);
	} catch {
		return null;
	}
}

const advise = find();

/**
 * Lets the system forget a file's bytes, which are on disk already: a mirror of 23 GB does not push everything else out
 * of memory, and the next file finds warm pages. Measured: 0.25 ms of system time an object of 330 KB, of 1.0.
 * A hint, so nothing is thrown.
 */
export function dropCache(fd: number): void {
	advise?.(fd, 0, 0, DONTNEED);
}
