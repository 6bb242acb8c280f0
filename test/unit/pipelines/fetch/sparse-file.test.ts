import { expect, test } from "@jest/globals";
import { missingSpans, type Span } from "../../../../pipelines/fetch/sparse-file.js";

/** Which parts of a file are fetched. */

const spans = (...pairs: [number, number][]): Span[] => pairs.map(([from, to]) => ({ from, to }));

test.each<[string, Span[], Span[], Span[]]>([
	["nothing is here: all of them, in order", spans([50, 60], [0, 10]), [], spans([0, 10], [50, 60])],
	["neighbours within 5 bytes come together", spans([0, 10], [15, 20], [26, 30]), [], spans([0, 20], [26, 30])],
	["overlapping ones come once", spans([0, 10], [3, 7], [5, 20]), [], spans([0, 20])],
	["what is here is not fetched", spans([0, 30]), spans([0, 30]), []],
	[
		"a part here at its start, amid it, at its end",
		spans([10, 90]),
		spans([0, 20], [40, 50], [80, 100]),
		spans([20, 40], [50, 80]),
	],
	["parts here in any order", spans([0, 100]), spans([60, 100], [0, 30]), spans([30, 60])],
	["empty parts are none", spans([7, 7]), [], []],
])("%s", (_, wanted, present, expected) => {
	expect(missingSpans(wanted, present, 5)).toEqual(expected);
});
