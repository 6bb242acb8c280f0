import type { DatasetTables } from "../../../pipelines/dataset.js";

export const tables: DatasetTables = { list: [], counts: [], make: () => ({ rows: {}, counts: {} }) };
