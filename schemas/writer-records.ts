import { z } from "zod";
import { LAKE_FORMAT, LakePath } from "./records.js";

/** The writers' own records, below `.irlake/`: no part of the data. */

/** `lake.json`: by its id two paths are known to be one lake, or one path to be another lake than before. */
export const LakeIdentity = z.object({ id: z.uuid() });

/** Of vacuum: files that nothing needed when somebody looked. */
export const Marks = z.object({ format: z.literal(LAKE_FORMAT), paths: z.array(LakePath) });

/** What became of marks: these files are deleted, by the owner alone; none, because a publisher wanted one of them. */
export const Sweep = z.object({ format: z.literal(LAKE_FORMAT), owner: z.uuid(), paths: z.array(LakePath) });

/** The oldest snapshot that is kept whole; files of those before it may be gone. Only ever raised. */
export const FirstKept = z.object({ format: z.literal(LAKE_FORMAT), first_kept: z.int().positive() });
