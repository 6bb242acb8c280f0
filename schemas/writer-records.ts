import { z } from "zod";
import { LAKE_FORMAT, LakePath } from "./records.js";

/** The writers' own records, below `.irlake/`; not part of the data. */

/** `lake.json`: its id shows that two paths are the same lake, or that a path now leads to another lake. */
export const LakeIdentity = z.object({ id: z.uuid() });

/** Files that nothing needed when vacuum looked. */
export const Marks = z.object({ format: z.literal(LAKE_FORMAT), paths: z.array(LakePath) });

/** The decision about marks: only the owner deletes these files; none if a publisher needed one of them. */
export const Sweep = z.object({ format: z.literal(LAKE_FORMAT), owner: z.uuid(), paths: z.array(LakePath) });

/** The oldest snapshot that is whole; files of earlier ones may be gone. Never lowered. */
export const FirstKept = z.object({ format: z.literal(LAKE_FORMAT), first_kept: z.int().positive() });
