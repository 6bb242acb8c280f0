/**
 * Flags by which V8 optimizes a function after fifteen times as much use as by default. A mirror's own JavaScript is a small
 * part of its work, and optimizing it took 5 % of all CPU time: docs/decisions/0004-speed.md. Only Node 20's V8 has the
 * flag, and gains by it.
 */
export const V8_FLAGS: readonly string[] = process.versions.v8.startsWith("11.") ? ["--interrupt-budget=1000000"] : [];
