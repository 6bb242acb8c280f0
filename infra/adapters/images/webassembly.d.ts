/** What Node has and its type package for Node 20 does not declare, as far as pixels.ts needs it. */
declare global {
	namespace WebAssembly {
		class Module {
			constructor(bytes: Uint8Array);
		}
		class Instance {
			constructor(module: Module);
			readonly exports: Record<string, unknown>;
		}
		interface Memory {
			readonly buffer: ArrayBuffer;
			/** Grows the memory by this many pages of 64 KiB. */
			grow(pages: number): number;
		}
		class RuntimeError extends Error {}
	}
}

export {};
