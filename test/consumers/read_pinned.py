"""A reader pinned to latest.json: what it reads must be one whole snapshot, at any moment of a lake's life.

    read_pinned.py LAKE              {"state": "none"} or {"state": "whole", "number": n}: 0; else reasons: 1
    read_pinned.py --serve           the same for each lake path read on stdin, one JSON line each; ends with stdin
    read_pinned.py LAKE --version N  what delta-rs reads of every table at version N: {"version": N, "rows": {...}}

Whole means: every file that the snapshot lists has its size and SHA-256; every table, opened by delta-rs at the
version named, has exactly these files and rows; the receipts list the same files; every object named by
`images` is there with its size.
"""

import argparse
import json
import os
import sys

import pyarrow
import pyarrow.parquet
from deltalake import DeltaTable

from lake_files import TABLES, Broken, file_sha256, read_latest, table_folder


def check_file(lake, file, problems):
    path = os.path.join(lake, file["path"])
    if not os.path.isfile(path):
        problems.append(f"{file['path']} does not exist")
        return False
    size = os.path.getsize(path)
    if size != file["bytes"]:
        problems.append(f"{file['path']} has {size} bytes, not {file['bytes']}")
    elif file_sha256(path) != file["sha256"]:
        problems.append(f"{file['path']} has another SHA-256 than listed")
    else:
        rows = pyarrow.parquet.read_metadata(path).num_rows
        if rows == file["rows"]:
            return True
        problems.append(f"{file['path']} has {rows} rows, not {file['rows']}")
    return False


def table_files(lake, table, version):
    """(path in the lake, bytes, rows) of each file that delta-rs sees at the version."""
    actions = pyarrow.table(DeltaTable(table_folder(lake, table), version=version).get_add_actions(flatten=True))
    return {
        (f"tables/{table}/{row['path']}", row["size_bytes"], row["num_records"]) for row in actions.to_pylist()
    }


def check_table(lake, table, entry, number, problems):
    if entry["delta_version"] != number - 1:
        problems.append(f"{table} is at Delta version {entry['delta_version']} in snapshot {number}")
    try:
        found = table_files(lake, table, entry["delta_version"])
    except Exception as error:  # Whatever delta-rs raises: the table cannot be read, which is the verdict.
        problems.append(f"delta-rs cannot open {table} at version {entry['delta_version']}: {error}")
        return
    listed = {(file["path"], file["bytes"], file["rows"]) for file in entry["files"]}
    for path, size, rows in sorted(found - listed, key=str):
        problems.append(f"the log of {table} has {path} ({size} bytes, {rows} rows), the snapshot has not")
    for path, size, rows in sorted(listed - found, key=str):
        problems.append(f"the snapshot has {path} ({size} bytes, {rows} rows), the log of {table} has not")


def check_objects(lake, path, problems):
    columns = pyarrow.parquet.read_table(os.path.join(lake, path), columns=["object_key", "bytes"])
    for key, size in zip(columns["object_key"].to_pylist(), columns["bytes"].to_pylist()):
        try:
            found = os.stat(os.path.join(lake, key)).st_size
        except FileNotFoundError:
            problems.append(f"{key} does not exist")
            continue
        if found != size:
            problems.append(f"{key} has {found} bytes, not {size}")


def check_receipts(lake, snapshot, problems):
    found = set()
    for entry in snapshot["shards"]:
        try:
            with open(os.path.join(lake, entry["receipt"]), encoding="utf-8") as file:
                receipt = json.load(file)
        except FileNotFoundError:
            problems.append(f"{entry['receipt']} does not exist")
            continue
        if (receipt["shard"], receipt["work_id"]) != (entry["shard"], entry["work_id"]):
            problems.append(f"{entry['receipt']} is of {receipt['shard']}, work id {receipt['work_id']}")
        found |= {(file["table"], file["path"], file["sha256"]) for file in receipt["files"]}
    listed = {
        (table, file["path"], file["sha256"]) for table in TABLES for file in snapshot["tables"][table]["files"]
    }
    if found != listed:
        problems.append("the receipts list other files than the snapshot")


def check(lake):
    """The verdict on one lake, as a dictionary; never raises."""
    problems = []
    try:
        snapshot = read_latest(lake)
        if snapshot is None:
            return {"state": "none"}
        check_receipts(lake, snapshot, problems)
        for table in TABLES:
            entry = snapshot["tables"][table]
            check_table(lake, table, entry, snapshot["number"], problems)
            for file in entry["files"]:
                if check_file(lake, file, problems) and table == "images":
                    check_objects(lake, file["path"], problems)
    except Broken as error:
        problems.append(str(error))
    except Exception as error:  # A record that is no record: its own kind of broken.
        problems.append(f"{type(error).__name__}: {error}")
    if problems:
        return {"state": "broken", "problems": problems[:50]}
    return {"state": "whole", "number": snapshot["number"]}


def version_rows(lake, version):
    """Rows that a full scan of each table yields at the version."""
    rows = {}
    for table in TABLES:
        rows[table] = DeltaTable(table_folder(lake, table), version=version).to_pyarrow_table().num_rows
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake", nargs="?")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--version", type=int)
    args = parser.parse_args()
    if args.serve:
        for line in sys.stdin:
            print(json.dumps(check(line.rstrip("\n"))), flush=True)
        return 0
    if args.lake is None:
        parser.error("which lake?")
    if args.version is not None:
        print(json.dumps({"version": args.version, "rows": version_rows(args.lake, args.version)}))
        return 0
    verdict = check(args.lake)
    print(json.dumps(verdict))
    return 1 if verdict["state"] == "broken" else 0


if __name__ == "__main__":
    code = main()
    # Processes that used deltalake and pyarrow sometimes abort while Python takes itself down.
    sys.stdout.flush()
    os._exit(code)
