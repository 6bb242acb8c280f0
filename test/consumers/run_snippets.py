"""Runs the snippets of a page, each in a process of its own, in a folder that holds what they read.

    run_snippets.py PAGE FOLDER [HEADING...]     default: every heading but Spark

Python runs as it stands. SQL runs in DuckDB, with its extension from the wheel instead of `INSTALL`. Prints
{"ran": {heading: number of snippets}, "problems"}: a snippet must end well and print something.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

SQL = """
import sys, duckdb
connection = duckdb.connect()
for statement in sys.argv[1].split(";"):
    if statement.strip():
        result = connection.execute(statement)
print(result.fetchall())
"""
FLUSH = "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n"


def snippets(page):
    """(heading, language, text) of every fenced block."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        heading = part.split("\n", 1)[0]
        for language, code in re.findall(r"^```(\w+)\n(.*?)^```", part, re.S | re.M):
            yield heading, language, code


def command(language, code):
    if language == "python":
        # Python ends at once: deltalake's and pyarrow's threads may abort a process that ends by itself.
        return [sys.executable, "-c", code + FLUSH]
    import duckdb

    [folder] = importlib.util.find_spec("duckdb_extension_delta").submodule_search_locations
    path = os.path.join(folder, "extensions", f"v{duckdb.__version__}", "delta.duckdb_extension")
    code = code.replace("INSTALL delta;", "").replace("LOAD delta;", f"LOAD '{path}';")
    return [sys.executable, "-c", SQL + FLUSH, code]


def main():
    page, folder, *headings = sys.argv[1:]
    verdict = {"ran": {}, "problems": []}
    with tempfile.TemporaryDirectory(prefix="irlake-snippets-") as home:
        env = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1"}
        for heading, language, code in snippets(page):
            wanted = heading in headings if headings else heading != "Spark"
            if language not in ("python", "sql") or not wanted:
                continue
            ended = subprocess.run(command(language, code), cwd=folder, env=env, capture_output=True, text=True)
            verdict["ran"][heading] = verdict["ran"].get(heading, 0) + 1
            if ended.returncode != 0 or ended.stdout.strip() in ("", "[]"):
                verdict["problems"].append(f"{heading}: {ended.returncode} {ended.stdout[-500:]} {ended.stderr[-2000:]}")
    print(json.dumps(verdict))


main()
