/** Where the bytes of a quarantined member are kept in the lake, if they are. */
export function rejectedPath(sha256: string): string {
	return `rejected/sha256/${sha256.slice(0, 2)}/${sha256}`;
}
