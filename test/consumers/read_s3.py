"""What delta-rs and DuckDB's delta extension each read of a lake's tables on S3, beside the same lake in a folder.

    read_s3.py s3://BUCKET/PREFIX FOLDER

The server is the one of AWS_ENDPOINT_URL_S3, with the keys of the environment. Prints
{"versions", "tables": {table: {"rows": {reader: n}, "equal": {reader: bool}}}, "globbed"}.
"""

import importlib.util
import json
import os
import sys
from urllib.parse import urlparse

import duckdb
from deltalake import DeltaTable

from lake_files import TABLES, table_folder
from read_tables import content_hash


def extension(name):
    """The extension file of DuckDB's own version, from its wheel: no download."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    folder = os.path.join(spec.submodule_search_locations[0], "extensions", f"v{duckdb.__version__}")
    return os.path.join(folder, f"{name}.duckdb_extension")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def duckdb_on_s3(endpoint):
    connection = duckdb.connect()
    for name in ("httpfs", "delta"):
        connection.execute(f"LOAD {quoted(extension(name))}")
    address = urlparse(endpoint)
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID {quoted(os.environ['AWS_ACCESS_KEY_ID'])}, "
        f"SECRET {quoted(os.environ['AWS_SECRET_ACCESS_KEY'])}, REGION {quoted(os.environ['AWS_REGION'])}, "
        f"ENDPOINT {quoted(address.netloc)}, USE_SSL {'true' if address.scheme == 'https' else 'false'}, URL_STYLE 'path')"
    )
    return connection


def main():
    lake, folder = sys.argv[1:]
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
    storage = {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": os.environ["AWS_REGION"]}
    connection = duckdb_on_s3(endpoint)
    tables = {}
    versions = set()
    for table in TABLES:
        address = f"{lake}/tables/{table}"
        delta = DeltaTable(address, storage_options=storage)
        versions.add(delta.version())
        found = {
            "delta-rs": delta.to_pyarrow_table(),
            "duckdb": connection.execute(f"FROM delta_scan({quoted(address)})").to_arrow_table(),
        }
        expected = content_hash(DeltaTable(table_folder(folder, table)).to_pyarrow_table())
        tables[table] = {
            "rows": {name: each.num_rows for name, each in found.items()},
            "equal": {name: content_hash(each) == expected for name, each in found.items()},
        }
    images = f"read_parquet({quoted(lake + '/tables/images/**/*.parquet')}, hive_partitioning = true)"
    globbed = connection.execute(f"SELECT count(*) FROM {images}").fetchone()[0]
    print(json.dumps({"versions": sorted(versions), "tables": tables, "globbed": globbed}))
    return 0


if __name__ == "__main__":
    code = main()
    # Processes that used deltalake and pyarrow sometimes abort while Python takes itself down.
    sys.stdout.flush()
    os._exit(code)
