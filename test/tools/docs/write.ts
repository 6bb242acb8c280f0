import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/root.js";
import { codesPage, commandsPage } from "./pages.js";

writeFileSync(join(ROOT, "docs/codes.md"), codesPage());
writeFileSync(join(ROOT, "docs/commands.md"), commandsPage());
