/**
 * Makes V8 optimize a function after fifteen times its default use. A mirror's own JavaScript is a small part of its
 * work, yet optimizing it took 5 % of all CPU time (docs/decisions/0004-speed.md). Only Node 20's V8 has this flag and
 * gains from it.
 */
export const V8_FLAGS: readonly string[] = process.versions.v8.startsWith("11.") ? ["--interrupt-budget=1000000"] : [];
