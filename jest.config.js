/** Jest runs what tsc compiled: the tests see the very files that are shipped. */
export default {
	rootDir: "dist/test",
	testMatch: ["**/*.test.js"],
	transform: {},
	testEnvironment: "node",
	testTimeout: 120_000,
	testSequencer: `${import.meta.dirname}/infra/scripts/test-order.js`,
};
