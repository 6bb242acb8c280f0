"""One SHA-256 over a lake: of the lines `<sha256>  <path>` of its files, sorted by path, without .irlake/.

    lake_digest.py LAKE [--only objects,tables-parquet] [--json]

Standard library only. Prints the digest; with --json also every file's own.
"""

import argparse
import hashlib
import json
import os
import sys

PARTS = {
    "objects": lambda path: path.startswith("objects/"),
    "tables-parquet": lambda path: path.startswith("tables/") and path.endswith(".parquet"),
}


def files_below(lake):
    """Paths relative to the lake, with `/`, sorted as bytes."""
    found = []
    for folder, folders, names in os.walk(lake):
        if os.path.samefile(folder, lake) and ".irlake" in folders:
            folders.remove(".irlake")
        for name in names:
            found.append(os.path.relpath(os.path.join(folder, name), lake).replace(os.sep, "/"))
    return sorted(found, key=os.fsencode)


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake")
    parser.add_argument("--only", help="comma-separated parts: " + ", ".join(PARTS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",") if args.only else None
    if wanted and not set(wanted) <= set(PARTS):
        parser.error("--only knows " + ", ".join(PARTS))
    if not os.path.isdir(args.lake):
        parser.error(f"{args.lake} is no folder")

    total = hashlib.sha256()
    files = {}
    for path in files_below(args.lake):
        if wanted and not any(PARTS[part](path) for part in wanted):
            continue
        files[path] = file_sha256(os.path.join(args.lake, path))
        total.update(f"{files[path]}  {path}\n".encode("utf-8", "surrogateescape"))
    if args.json:
        print(json.dumps({"digest": total.hexdigest(), "count": len(files), "files": files}))
    else:
        print(total.hexdigest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
