"""Checks every table's _delta_log line by line against the traps that a hand-written log can fall into.

    check_delta_log.py LAKE

Standard library and pyarrow only; no Delta reader. Prints {"ok", "problems", "versions", "actions"}; ends with 0 or 1.
"""

import json
import os
import re
import sys

import pyarrow.parquet

from lake_files import TABLES, read_latest, table_folder

VERSION_FILE = re.compile(r"^(\d{20})\.json$")
RETENTION = {
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}
DATA_PATH = re.compile(r"^split=([a-z]+)/shard=(\d+)/[0-9a-f]{16}\.parquet$")


class Log:
    """One table's log, replayed."""

    def __init__(self, folder, table):
        self.folder, self.table = folder, table
        self.problems, self.live = [], {}
        self.versions = self.actions = 0
        self.metadata = None
        self.snapshots = []

    def problem(self, place, text):
        self.problems.append(f"{self.table} {place}: {text}")

    def replay(self):
        log = os.path.join(self.folder, "_delta_log")
        names = sorted(os.listdir(log))
        for name in names:
            if not VERSION_FILE.match(name):
                self.problem(name, "is no commit file")
        numbers = [int(name[:20]) for name in names if VERSION_FILE.match(name)]
        if numbers != list(range(len(numbers))):
            self.problem("log", f"the versions are not consecutive: {numbers}")
        for number in numbers:
            with open(os.path.join(log, f"{number:020d}.json"), "rb") as file:
                self.commit(number, file.read())
        self.versions = len(numbers)
        for path in self.live:
            if not os.path.isfile(os.path.join(self.folder, path)):
                self.problem("newest", f"{path} does not exist")

    def commit(self, number, content):
        if not content.endswith(b"\n"):
            self.problem(number, "does not end in a newline")
        if not content.strip():
            self.problem(number, "is empty")
        actions = []
        for line in content.decode("utf-8").splitlines():
            try:
                action = json.loads(line)
            except ValueError:
                self.problem(number, "a line is no JSON")
                continue
            if len(action) != 1:
                self.problem(number, f"a line has {len(action)} actions")
            actions.extend(action.items())
        self.actions += len(actions)
        self.check_kinds(number, [kind for kind, _ in actions])
        seen = {"add": set(), "remove": set()}
        for kind, action in actions:
            if kind in seen:
                if action["path"] in seen["add"] | seen["remove"]:
                    self.problem(number, f"{action['path']} has two actions")
                seen[kind].add(action["path"])
                getattr(self, kind)(number, action)
            elif kind == "metaData":
                self.meta_data(number, action)
            elif kind == "protocol" and action != {"minReaderVersion": 1, "minWriterVersion": 2}:
                self.problem(number, f"the protocol is {action}")
            elif kind == "txn" and action.get("version") != number + 1:
                self.problem(number, f"txn has version {action.get('version')}")
            elif kind == "commitInfo":
                self.snapshots.append(action.get("irlakeSnapshot"))

    def check_kinds(self, number, kinds):
        for kind in ("commitInfo", "protocol", "metaData", "txn"):
            if kinds.count(kind) > 1:
                self.problem(number, f"{kinds.count(kind)} {kind} actions")
        if kinds.count("commitInfo") != 1:
            self.problem(number, "no commitInfo")
        for kind in ("protocol", "metaData"):
            if number == 0 and kind not in kinds:
                self.problem(number, f"version 0 has no {kind}")
        unknown = set(kinds) - {"commitInfo", "protocol", "metaData", "txn", "add", "remove"}
        if unknown:
            self.problem(number, f"unknown actions {sorted(unknown)}")

    def meta_data(self, number, action):
        for name, value in RETENTION.items():
            if action["configuration"].get(name) != value:
                self.problem(number, f"configuration {name} is {action['configuration'].get(name)}")
        if action["partitionColumns"] != ["split", "shard"]:
            self.problem(number, f"partition columns {action['partitionColumns']}")
        if self.metadata is not None and action["id"] != self.metadata["id"]:
            self.problem(number, "the table's id changed")
        fields = [field["name"] for field in json.loads(action["schemaString"])["fields"]]
        if len({name.lower() for name in fields}) != len(fields):
            self.problem(number, "column names are not unique")
        self.metadata = action

    def add(self, number, action):
        path = action["path"]
        part = DATA_PATH.match(path)
        if part is None:
            self.problem(number, f"add path {path}")
        elif action["partitionValues"] != {"split": part.group(1), "shard": part.group(2)}:
            self.problem(number, f"{path} has partition values {action['partitionValues']}")
        if path in self.live:
            self.problem(number, f"{path} is added while it is in the table")
        if action["dataChange"] is not True:
            self.problem(number, f"{path} has dataChange {action['dataChange']}")
        if not isinstance(action.get("stats"), str):
            self.problem(number, f"{path} has stats that are no string")
            return
        self.live[path] = action
        self.check_data(number, path, action)

    def check_data(self, number, path, action):
        file = os.path.join(self.folder, path)
        if not os.path.isfile(file):
            return  # Vacuum may have deleted what a later version removed; replay() looks at the others.
        if os.path.getsize(file) != action["size"]:
            self.problem(number, f"{path} has {os.path.getsize(file)} bytes, add says {action['size']}")
            return
        stats = json.loads(action["stats"])
        table = pyarrow.parquet.read_table(file, partitioning=None)
        if stats.get("numRecords") != table.num_rows:
            self.problem(number, f"{path} has {table.num_rows} rows, stats say {stats.get('numRecords')}")
        self.check_bounds(number, path, stats, table)

    def check_bounds(self, number, path, stats, table):
        """Readers believe stats: a bound that a value exceeds, or a wrong count of nulls, loses rows in silence."""
        for name, null_count in stats.get("nullCount", {}).items():
            if isinstance(null_count, int) and table[name].null_count != null_count:
                self.problem(number, f"{path}: {name} has {table[name].null_count} nulls, stats say {null_count}")
        for kind, worst in (("minValues", min), ("maxValues", max)):
            for name, bound in stats.get(kind, {}).items():
                values = [value for value in table[name].to_pylist() if value is not None]
                if values and not isinstance(bound, dict) and worst(*values, bound) != bound:
                    self.problem(number, f"{path}: {kind} of {name} is {bound!r}, a value is beyond it")

    def remove(self, number, action):
        path = action["path"]
        added = self.live.pop(path, None)
        if added is None:
            self.problem(number, f"{path} is removed but is not in the table")
        elif action.get("size", added["size"]) != added["size"]:
            self.problem(number, f"{path} is removed with size {action['size']}")
        if action["dataChange"] is not True:
            self.problem(number, f"remove of {path} has dataChange {action['dataChange']}")


def compare_with_snapshot(lake, logs, problems):
    """At the newest snapshot each log has one version per snapshot and exactly the snapshot's files."""
    snapshot = read_latest(lake)
    if snapshot is None:
        problems.append("there is no latest.json")
        return
    for table, log in logs.items():
        if log.versions < snapshot["number"]:
            problems.append(f"{table} has {log.versions} versions at snapshot {snapshot['number']}")
        if log.versions != snapshot["number"]:
            continue
        listed = {file["path"]: file["bytes"] for file in snapshot["tables"][table]["files"]}
        live = {f"tables/{table}/{path}": action["size"] for path, action in log.live.items()}
        if live != listed:
            problems.append(f"{table}: the log's files are not the snapshot's")
    names = [log.snapshots for log in logs.values()]
    if any(each != names[0] for each in names):
        problems.append("the tables' commits name different snapshots")
    for name in names[0]:
        if name is None or not os.path.isfile(os.path.join(lake, name)):
            problems.append(f"a commit names the snapshot {name}, which does not exist")


def main():
    if len(sys.argv) != 2:
        print("usage: check_delta_log.py LAKE", file=sys.stderr)
        return 2
    lake = sys.argv[1]
    logs = {table: Log(table_folder(lake, table), table) for table in TABLES}
    problems = []
    for log in logs.values():
        log.replay()
        problems.extend(log.problems)
    compare_with_snapshot(lake, logs, problems)
    print(
        json.dumps(
            {
                "ok": not problems,
                "problems": problems,
                "versions": {table: log.versions for table, log in logs.items()},
                "actions": {table: log.actions for table, log in logs.items()},
            }
        )
    )
    return 1 if problems else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
