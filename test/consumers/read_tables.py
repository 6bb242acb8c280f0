"""What delta-rs, polars and DuckDB's delta extension each read of a lake's tables at one version.

    read_tables.py LAKE [--version N]

Prints {"version", "tables": {table: {"schema_ok", "schemas", "rows", "contents", "count", ...}}}: per reader the
number of rows and a hash of the sorted rows; `count` is delta-rs's count from the log alone; `by_shard` and
`by_filter` are delta-rs's rows under a filter on a partition column and on the first column, beside what a
full scan holds of them; `vacuum` is what delta-rs's vacuum with default retention would delete.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import sys

import duckdb
import polars
from deltalake import DeltaTable

from lake_files import TABLES, table_folder
from lake_schemas import PARTITION_SCHEMA, SCHEMAS, plain_type


def duckdb_with_delta():
    """DuckDB with the extension file of its own version, from the wheel: no download."""
    spec = importlib.util.find_spec("duckdb_extension_delta")
    extension = os.path.join(
        spec.submodule_search_locations[0], "extensions", f"v{duckdb.__version__}", "delta.duckdb_extension"
    )
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    return connection


def readers(connection, folder, version):
    """One pyarrow table for each reader."""
    quoted = folder.replace("'", "''")
    scan = f"delta_scan('{quoted}', version = {version})"
    return {
        "delta-rs": DeltaTable(folder, version=version).to_pyarrow_table(),
        "polars": polars.scan_delta(folder, version=version).collect().to_arrow(),
        "duckdb": connection.execute(f"FROM {scan}").to_arrow_table(),
    }


def content_hash(table):
    rows = sorted(json.dumps(row, sort_keys=True) for row in table.to_pylist())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def schema_text(fields):
    return sorted(f"{name}: {plain_type(kind)}" for name, kind in fields)


def under_filters(folder, version, whole, column):
    """Rows under a filter, beside how many rows of a full scan meet it: what the log's statistics must not hide."""
    table = DeltaTable(folder, version=version)
    rows = whole.to_pylist()
    shards = sorted({row["shard"] for row in rows})
    values = sorted({row[column] for row in rows if row[column] is not None})
    largest = values[-1:]
    return {
        "by_shard": [
            [table.to_pyarrow_table(filters=[("shard", "=", shard)]).num_rows, sum(row["shard"] == shard for row in rows)]
            for shard in shards
        ],
        "by_filter": [
            [table.to_pyarrow_table(filters=[(column, "=", value)]).num_rows, sum(row[column] == value for row in rows)]
            for value in largest
        ],
    }


def read_table(connection, lake, table, version):
    folder = table_folder(os.path.abspath(lake), table)
    found = readers(connection, folder, version)
    expected = schema_text(SCHEMAS[table] + PARTITION_SCHEMA)
    schemas = {name: schema_text((field.name, field.type) for field in each.schema) for name, each in found.items()}
    newest = DeltaTable(folder)
    return {
        "schema_ok": {name: schema == expected for name, schema in schemas.items()},
        "schemas": {name: schema for name, schema in schemas.items() if schema != expected},
        "rows": {name: each.num_rows for name, each in found.items()},
        "contents": {name: content_hash(each) for name, each in found.items()},
        "count": DeltaTable(folder, version=version).count(),
        "newest": newest.version(),
        "vacuum": newest.vacuum(dry_run=True),
        **under_filters(folder, version, found["delta-rs"], SCHEMAS[table][0][0]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake")
    parser.add_argument("--version", type=int)
    args = parser.parse_args()
    version = args.version
    if version is None:
        version = DeltaTable(table_folder(args.lake, TABLES[0])).version()
    connection = duckdb_with_delta()
    tables = {table: read_table(connection, args.lake, table, version) for table in TABLES}
    print(json.dumps({"version": version, "tables": tables}))
    return 0


if __name__ == "__main__":
    code = main()
    # Processes that used deltalake and pyarrow sometimes abort while Python takes itself down.
    sys.stdout.flush()
    os._exit(code)
