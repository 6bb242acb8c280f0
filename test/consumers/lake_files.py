"""A lake's records as plain dictionaries, read by the contract alone; shared by the consumers in this folder."""

import hashlib
import json
import os
import re

TABLES = ("images", "prompts", "pairs", "quarantine")
PARTITION = re.compile(r"^tables/(\w+)/split=(\w+)/shard=(\d+)/([0-9a-f]{16})\.parquet$")


class Broken(Exception):
    """Something in the lake is not as its records say; the message says what."""


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_latest(lake):
    """The snapshot that latest.json names, with its number; None where nothing is published yet."""
    try:
        with open(os.path.join(lake, "latest.json"), "rb") as file:
            latest = json.loads(file.read())
    except FileNotFoundError:
        return None
    path = os.path.join(lake, latest["snapshot"])
    if not os.path.isfile(path):
        raise Broken(f"latest.json names {latest['snapshot']}, which does not exist")
    with open(path, "rb") as file:
        content = file.read()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != latest["sha256"]:
        raise Broken(f"{latest['snapshot']} has SHA-256 {sha256}, latest.json says {latest['sha256']}")
    snapshot = json.loads(content)
    if latest["format"] != 1 or snapshot["format"] != 1:
        raise Broken("a record's format is not 1")
    if snapshot["number"] != latest["number"]:
        raise Broken(f"latest.json says number {latest['number']}, the snapshot {snapshot['number']}")
    expected = f"snapshots/{snapshot['number']:06d}-{sha256[:12]}.json"
    if latest["snapshot"] != expected:
        raise Broken(f"the snapshot is named {latest['snapshot']}, not {expected}")
    return snapshot


def table_folder(lake, table):
    return os.path.join(lake, "tables", table)
