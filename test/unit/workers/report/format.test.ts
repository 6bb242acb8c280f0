import { expect, test } from "@jest/globals";
import { printable } from "../../../../workers/report/format.js";

/** A terminal obeys nothing that the source's texts hold. */

test.each([
	["colours and titles", "\u001b[31mred\u001b]0;title\u0007", "\\x1b[31mred\\x1b]0;title\\x07"],
	["a carriage return, a backspace, a C1 code", "a\rb\bc\u009bd\u007f", "a\\x0db\\x08c\\x9bd\\x7f"],
	["lines, tabs and letters of any script", "a\tb\nä 漢 🙂", "a\tb\nä 漢 🙂"],
])("%s", (_, text, expected) => {
	expect(printable(text)).toBe(expected);
});
