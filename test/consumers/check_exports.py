"""The other exports, read as their users read them and held against the source's own bytes.

    check_exports.py webdataset EXPORT SOURCE SHARDS SHARD_SIZE
    check_exports.py imagereward EXPORT SOURCE SHARDS
    check_exports.py authors EXPORT TEST_JSON

`authors` compares with the authors' own release of the test split instead. Prints {..., "problems"}.
"""

import glob
import hashlib
import json
import os
import sys
import tarfile

from PIL import Image

from expected import INTEGERS, TEXTS, ShardSource

NAMES = {"train": "train", "validation": "valid", "test": "test"}


def digest(content):
    return hashlib.sha256(content).hexdigest()


def source_rows(source, shards):
    """Every row of the source by image id, with its shard and the SHA-256 of its image."""
    found = {}
    for shard in shards.split(","):
        archive = ShardSource(source, shard)
        for row in archive.rows:
            name = row["image_path"].rsplit("/", 1)[-1]
            image_id = name.removesuffix(".webp")
            found[image_id] = {**row, "shard": shard, "image": digest(archive.read(name)[0])}
        archive.close()
    return found


def check_index(export, tars, problems):
    with open(os.path.join(export, "index.json"), encoding="utf-8") as file:
        index = [tar for split in json.load(file)["splits"].values() for tar in split]
    if sorted(tar["path"] for tar in index) != sorted(map(os.path.basename, tars)):
        problems.append("the index lists other tars than there are")
    for entry in index:
        with open(os.path.join(export, entry["path"]), "rb") as file:
            content = file.read()
        if len(content) != entry["bytes"] or digest(content) != entry["sha256"]:
            problems.append(f"{entry['path']} is not as the index says")
    return sum(entry["samples"] for entry in index)


def check_tar(path, problems):
    """What makes a tar the same wherever and whenever it is written."""
    with tarfile.open(path) as tar:
        for entry in tar:
            about = (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode, entry.isfile())
            if about != (0, 0, 0, "", "", 0o644, True):
                problems.append(f"{path}: {entry.name} has {about}")


def webdataset(export, source, shards, shard_size):
    import webdataset as wds

    rows = source_rows(source, shards)
    problems = []
    tars = sorted(glob.glob(os.path.join(export, "*.tar")))
    samples = check_index(export, tars, problems)
    seen = {}
    for tar in tars:
        check_tar(tar, problems)
        if os.path.getsize(tar) > int(shard_size):
            problems.append(f"{tar} is larger than {shard_size}")
        split = os.path.basename(tar).split("-")[0]
        for sample in wds.WebDataset(tar, shardshuffle=False, empty_check=False).decode("pil"):
            about, row = sample["json"], rows.get(sample["__key__"])
            if row is None or row["shard"].rsplit("_", 1)[0] != split or sample["webp"].mode not in ("RGB", "RGBA"):
                problems.append(f"{tar} holds {sample['__key__']}, which is no image of {split}")
                continue
            wanted = {**{name: row[name] for name in (*TEXTS, *INTEGERS)}, "shard": row["shard"], "sha256": row["image"]}
            if any(about[name] != value for name, value in wanted.items()):
                problems.append(f"{tar}: {sample['__key__']}.json is {about}")
            seen[sample["__key__"]] = tar
        for sample in wds.WebDataset(tar, shardshuffle=False, empty_check=False):
            if digest(sample["webp"]) != rows[sample["__key__"]]["image"]:
                problems.append(f"{tar}: {sample['__key__']} has other bytes")
    if sorted(seen) != sorted(rows):
        problems.append(f"{len(seen)} images are there, not {len(rows)}")
    return {"tars": len(tars), "samples": samples, "problems": problems}


def read_as_authors(export, name):
    """As the authors' rank_pair_dataset.py reads: each generation below the image base, one label for each."""
    with open(os.path.join(export, f"{name}.json"), encoding="utf-8") as file:
        items = json.load(file)
    for item in items:
        assert len(item["generations"]) == len(item["ranking"])
        for generation in item["generations"]:
            with Image.open(os.path.join(export, "images", generation)) as image:
                image.convert("RGB")
    return items


def ranked(item):
    """A prompt's (file, rank) pairs, in any order."""
    names = [generation.rsplit("/", 1)[-1] for generation in item["generations"]]
    return item["prompt"], sorted(zip(names, item["ranking"]))


def imagereward(export, source, shards):
    rows = source_rows(source, shards)
    problems, counts = [], {}
    for split, name in NAMES.items():
        own = [(image_id, row) for image_id, row in rows.items() if row["shard"].startswith(split)]
        wanted = {}
        for image_id, row in own:
            item = wanted.setdefault(row["prompt_id"], {"prompt": row["prompt"], "generations": [], "ranking": []})
            item["generations"].append(f"{image_id}.webp")
            item["ranking"].append(row["rank"])
        items = read_as_authors(export, name)
        counts[name] = len(items)
        if {item["id"]: ranked(item) for item in items} != {key: ranked(item) for key, item in wanted.items()}:
            problems.append(f"{name}.json is not what the source says")
        for item in items:
            for generation in item["generations"]:
                with open(os.path.join(export, "images", generation), "rb") as file:
                    if digest(file.read()) != rows[generation.rsplit("/", 1)[-1][:-5]]["image"]:
                        problems.append(f"{generation} has other bytes")
    return {"prompts": counts, "problems": problems}


def authors(export, test_json):
    with open(test_json, encoding="utf-8") as file:
        released = json.load(file)
    items = read_as_authors(export, "test")
    problems = []
    if {item["id"]: ranked(item) for item in items} != {item["id"]: ranked(item) for item in released}:
        problems.append("prompts, images or ranks differ")
    if {item["id"]: sorted(item["generations"]) for item in items} != {
        item["id"]: sorted(item["generations"]) for item in released
    }:
        problems.append("generations have other paths")
    return {
        "prompts": len(items),
        "images": sum(len(item["generations"]) for item in items),
        "keys": sorted({tuple(item) for item in items} ^ {tuple(item) for item in released}),
        "problems": problems,
    }


def main():
    form, *arguments = sys.argv[1:]
    print(json.dumps({"webdataset": webdataset, "imagereward": imagereward, "authors": authors}[form](*arguments)))


main()
