"""Ten queries on a lake's tables at one version, as delta-rs (DataFusion), DuckDB and Polars answer them.

    ten_queries.py LAKE VERSION

LAKE is a folder, or s3://bucket/prefix with AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION
set. Prints {"answers": {query: {reader: rows}}}.
"""

import importlib.util
import json
import os
import sys

import duckdb
import polars
import pyarrow
from deltalake import DeltaTable, QueryBuilder

TABLES = ("images", "prompts", "pairs", "quarantine")
QUERIES = {
    "images of each split": "SELECT split, COUNT(*) AS n FROM images GROUP BY split ORDER BY split",
    "ratings of each rank": "SELECT rank, COUNT(*) AS n, SUM(overall_rating) AS s FROM images GROUP BY rank ORDER BY rank",
    "classifications": (
        "SELECT classification, COUNT(*) AS n FROM prompts GROUP BY classification ORDER BY n DESC, classification"
    ),
    "pairs of each shard": "SELECT split, shard, COUNT(*) AS n FROM pairs GROUP BY split, shard ORDER BY split, shard",
    "bytes of the better images": (
        "SELECT COUNT(*) AS n, SUM(i.bytes) AS s FROM pairs AS p JOIN images AS i ON p.better_image_id = i.image_id"
    ),
    "sizes of groups": "SELECT image_count, COUNT(*) AS n FROM prompts GROUP BY image_count ORDER BY image_count",
    "pairs and ties": "SELECT SUM(pair_count) AS p, SUM(tie_count) AS t, SUM(inversion_count) AS i FROM prompts",
    "findings": "SELECT code, severity, COUNT(*) AS n FROM quarantine GROUP BY code, severity ORDER BY code, severity",
    "best and well rated": "SELECT image_id FROM images WHERE rank = 1 AND overall_rating >= 6 ORDER BY image_id",
    "sizes of files": (
        "SELECT format, MIN(bytes) AS least, MAX(bytes) AS most, MAX(width) AS w FROM images WHERE shard = 1"
        " GROUP BY format ORDER BY format"
    ),
}


def storage_options(lake):
    if not lake.startswith("s3://"):
        return None
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    return {**{name: os.environ[name] for name in names}, "AWS_ALLOW_HTTP": "true"}


def extension(name):
    """The file of DuckDB's extension of its own version, from the wheel: no download."""
    [folder] = importlib.util.find_spec(f"duckdb_extension_{name}").submodule_search_locations
    return os.path.join(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")


def open_duckdb(lake, version, options):
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension('delta')}'")
    if options:
        connection.execute(f"LOAD '{extension('httpfs')}'")
        scheme, host = options["AWS_ENDPOINT_URL"].rstrip("/").split("://")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{options['AWS_ACCESS_KEY_ID']}', SECRET '{options['AWS_SECRET_ACCESS_KEY']}',"
            f" REGION '{options['AWS_REGION']}', ENDPOINT '{host}', USE_SSL {scheme == 'https'}, URL_STYLE 'path')"
        )
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS FROM delta_scan('{lake}/tables/{table}', version = {version})")
    return lambda sql: [list(row) for row in connection.execute(sql).fetchall()]


def open_polars(lake, version, options):
    frames = {
        table: polars.scan_delta(f"{lake}/tables/{table}", version=version, storage_options=options) for table in TABLES
    }
    context = polars.SQLContext(frames)
    return lambda sql: [list(row) for row in context.execute(sql, eager=True).rows()]


def open_delta_rs(lake, version, options):
    builder = QueryBuilder()
    for table in TABLES:
        folder = f"{lake}/tables/{table}"
        builder = builder.register(table, DeltaTable(folder, version=version, storage_options=options))

    def rows(sql):
        found = pyarrow.table(builder.execute(sql).read_all())
        return [list(row.values()) for row in found.to_pylist()]

    return rows


def main():
    lake, version = sys.argv[1].rstrip("/"), int(sys.argv[2])
    options = storage_options(lake)
    readers = {"delta-rs": open_delta_rs, "duckdb": open_duckdb, "polars": open_polars}
    opened = {name: opener(lake, version, options) for name, opener in readers.items()}
    answers = {query: {name: rows(sql) for name, rows in opened.items()} for query, sql in QUERIES.items()}
    print(json.dumps({"answers": answers}))
    sys.stdout.flush()
    os._exit(0)


main()
