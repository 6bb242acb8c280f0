"""Recomputes every column of `images`, `prompts` and `pairs` from a source folder and compares cell by cell.

    recompute.py SOURCE_DIR LAKE_DIR [--skip-rejected] [--examples 20] [--threads N]

Compared are what delta-rs reads at the newest version, and what DuckDB reads from each parquet file that the
snapshot of latest.json lists, in the file's own order; types and the order of columns with pyarrow; each
shard's counts with its receipt. The shards are those of the snapshot. Without --skip-rejected the source must
be free of defects; with it, rows that the lake's quarantine rejects are left out.
Prints a verdict as JSON; ends with 0 when nothing differs, else 1.
"""

import argparse
import json
import os
import sys

import duckdb
import pyarrow.parquet
from deltalake import DeltaTable

from expected import shard_tables, stored_object
from lake_files import PARTITION, file_sha256, read_latest, table_folder
from lake_schemas import PARTITION_SCHEMA, SCHEMAS, plain_type

KEYS = {
    "images": ("split", "shard", "image_path"),
    "prompts": ("split", "shard", "prompt_id"),
    "pairs": ("split", "shard", "better_image_path", "worse_image_path"),
}
COMPARED = tuple(KEYS)
MISSING = object()


class Verdict:
    def __init__(self, limit):
        self.cells = self.different = 0
        self.examples, self.limit = [], limit

    def cell(self, where, expected, actual):
        self.cells += 1
        if type(expected) is not type(actual) or expected != actual:
            self.different += 1
            if len(self.examples) < self.limit:
                shown = [None if value is MISSING else value for value in (expected, actual)]
                self.examples.append({"where": where, "expected": shown[0], "actual": shown[1]})

    def row(self, where, names, expected, actual):
        for name in names:
            wanted = MISSING if expected is None else expected[name]
            found = MISSING if actual is None else actual.get(name, MISSING)
            self.cell(f"{where} {name}", wanted, found)

    def schema(self, where, expected, actual):
        wanted = [f"{name}: {plain_type(kind)}" for name, kind in expected]
        found = [f"{field.name}: {plain_type(field.type)}" for field in actual]
        self.cell(f"{where} schema", wanted, found)


def rejected_rows(lake, shard):
    """(code, row as JSON text) of the shard's rejecting findings that are about a row."""
    split, number = shard.rsplit("_", 1)
    table = DeltaTable(table_folder(lake, "quarantine")).to_pyarrow_table(
        columns=["code", "severity", "row", "split", "shard"]
    )
    return [
        (row["code"], row["row"])
        for row in table.to_pylist()
        if (row["split"], row["shard"], row["severity"]) == (split, int(number), "reject") and row["row"] is not None
    ]


def stored_keys(lake):
    """The key of each image's object as the lake has it; only for re-encoded lakes, where the source cannot tell it."""
    table = DeltaTable(table_folder(lake, "images")).to_pyarrow_table(columns=["image_path", "object_key"])
    return {row["image_path"]: row["object_key"] for row in table.to_pylist()}


def expected_tables(args, snapshot, verdict):
    """Rows by table and shard (`test_1`), with the partition columns; compares the receipts' counts on the way."""
    settings = snapshot["settings"]
    stored = None
    if settings["image"] != "passthrough":
        keys = stored_keys(args.lake)

        def stored(path):
            return stored_object(args.lake, keys[path])

    tables = {table: {} for table in COMPARED}
    for entry in snapshot["shards"]:
        shard = entry["shard"]
        split, number = shard.rsplit("_", 1)
        rejected = rejected_rows(args.lake, shard) if args.skip_rejected else ()
        decode = settings["verify"] == "decode"
        rows, counts = shard_tables(
            args.source, shard, rejected=rejected, decode=decode, stored=stored, threads=args.threads
        )
        with open(os.path.join(args.lake, entry["receipt"]), encoding="utf-8") as file:
            receipt = json.load(file)
        verdict.row(f"receipt {shard}", counts, counts, receipt["counts"])
        for table in COMPARED:
            tables[table][shard] = [{**row, "split": split, "shard": int(number)} for row in rows[table]]
    return tables


def compare_objects(lake, images, verdict):
    """Every object named exists and has the bytes that its name says (their SHA-256 was recomputed from the source)."""
    for row in images:
        path = os.path.join(lake, row["object_key"])
        verdict.cell(f"object {row['object_key']}", row["sha256"], file_sha256(path) if os.path.exists(path) else MISSING)


def compare_delta(lake, table, expected, verdict):
    """What delta-rs reads at the newest version, row by row by the table's key; returns the number of rows."""
    actual = DeltaTable(table_folder(lake, table)).to_pyarrow_table()
    schema = sorted(SCHEMAS[table] + PARTITION_SCHEMA, key=lambda field: field[0])
    verdict.schema(f"delta {table}", schema, sorted(actual.schema, key=lambda field: field.name))
    rows = {}
    for row in actual.to_pylist():
        rows.setdefault(tuple(row[name] for name in KEYS[table]), []).append(row)
    names = [name for name, _ in schema]
    for row in expected:
        key = tuple(row[name] for name in KEYS[table])
        found = rows.get(key)
        verdict.row(f"delta {table} {key}", names, row, found.pop(0) if found else None)
    for key, left in rows.items():
        for row in left:
            verdict.row(f"delta {table} {key} not expected", names, None, row)
    return actual.num_rows


def duckdb_rows(connection, path):
    cursor = connection.execute(
        "SELECT * FROM read_parquet(?, hive_partitioning = true, hive_types = {'split': VARCHAR, 'shard': INTEGER})",
        [path],
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def compare_files(lake, table, files, expected, verdict):
    """What DuckDB reads from each listed file, in the file's order; returns the number of rows."""
    connection = duckdb.connect()
    names = [name for name, _ in SCHEMAS[table] + PARTITION_SCHEMA]
    total, left = 0, {shard: rows for shard, rows in expected.items() if rows}
    for file in files:
        part = PARTITION.match(file["path"])
        verdict.cell(f"{file['path']} place", table, part.group(1) if part else MISSING)
        if part is None:
            continue
        path = os.path.join(lake, file["path"])
        verdict.schema(file["path"], SCHEMAS[table], pyarrow.parquet.read_schema(path))
        rows = left.pop(f"{part.group(2)}_{part.group(3)}", [])
        actual = duckdb_rows(connection, path)
        verdict.cell(f"{file['path']} rows", file["rows"], len(actual))
        for place in range(max(len(rows), len(actual))):
            wanted = rows[place] if place < len(rows) else None
            found = actual[place] if place < len(actual) else None
            verdict.row(f"{file['path']} row {place}", names, wanted, found)
        total += len(actual)
    for shard in left:
        verdict.cell(f"{table} {shard} file", True, False)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("lake")
    parser.add_argument("--skip-rejected", action="store_true")
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

    verdict = Verdict(args.examples)
    snapshot = read_latest(args.lake)
    if snapshot is None:
        parser.error(f"{args.lake} has no latest.json")
    expected = expected_tables(args, snapshot, verdict)
    result = {"rows": {}, "delta_rows": {}, "duckdb_rows": {}}
    for table, shards in expected.items():
        rows = [row for shard in shards.values() for row in shard]
        if table == "images":
            compare_objects(args.lake, rows, verdict)
        result["rows"][table] = len(rows)
        result["delta_rows"][table] = compare_delta(args.lake, table, rows, verdict)
        files = snapshot["tables"][table]["files"]
        result["duckdb_rows"][table] = compare_files(args.lake, table, files, shards, verdict)
    print(
        json.dumps(
            {
                "cells": verdict.cells,
                "different": verdict.different,
                "examples": verdict.examples,
                "shards": [entry["shard"] for entry in snapshot["shards"]],
                "ties": sum(row["tie_count"] for rows in expected["prompts"].values() for row in rows),
                **result,
            }
        )
    )
    return 0 if verdict.different == 0 else 1


if __name__ == "__main__":
    code = main()
    # Processes that used deltalake and pyarrow sometimes abort while Python takes itself down.
    sys.stdout.flush()
    os._exit(code)
