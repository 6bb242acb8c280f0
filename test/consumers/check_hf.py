"""What `datasets` reads from an exported Hub repository, held against the source's own bytes.

    check_hf.py EXPORT SOURCE LAKE SHARDS rows|embed

SHARDS is a comma-separated list. What must come out is made from the source's archives by the logic of the dataset's
former loading script: consecutive rows are counted up to `image_amount_in_total`, each image is paired with every
later one of its group, the lower rank is better, ties are skipped. The source must be free of defects.

Prints {"configs": {name: {split: rows}}, "images", "problems"}: `images` is how many pictures had the pixels that the
lake's `pixel_sha256` says.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import struct
import sys
import tempfile

HOME = tempfile.mkdtemp(prefix="irlake-hf-")
os.environ.update(HF_HOME=HOME, HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")

import pyarrow.parquet
from datasets import Dataset, Image, List, Value, get_dataset_config_names, load_dataset

from expected import ShardSource

TEXT, BYTE, IMAGE = Value("string"), Value("int8"), Image()
RANKS = ("rank", "overall_rating", "image_text_alignment_rating", "fidelity_rating")
PROMPT = ("prompt_id", "prompt", "classification")
FEATURES = {
    "": {
        "image": IMAGE,
        **dict.fromkeys(PROMPT, TEXT),
        **dict.fromkeys(("image_amount_in_total", *RANKS), BYTE),
    },
    "_group": {**dict.fromkeys(PROMPT, TEXT), "image": List(IMAGE), **dict.fromkeys(RANKS, List(BYTE))},
    "_pair": {"prompt": TEXT, "img_better": IMAGE, "img_worse": IMAGE},
}
SIZES = {"1k": 4, "2k": 8, "4k": 16, "8k": 32}


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Loader:
    """The former script's records of one shard, images as the SHA-256 of their bytes."""

    def __init__(self, source, shard):
        archive = ShardSource(source, shard)
        self.rows = []
        for row in archive.rows:
            content = archive.read(row["image_path"].rsplit("/", 1)[-1])[0]
            self.rows.append({**row, "image": digest(content)})
        archive.close()

    def groups(self):
        group = []
        for row in self.rows:
            group.append(row)
            if len(group) == group[0]["image_amount_in_total"]:
                yield group
                group = []

    def records(self, suffix):
        if suffix == "":
            return [{name: row[name] for name in FEATURES[""]} for row in self.rows]
        if suffix == "_group":
            return [
                {
                    **{name: group[0][name] for name in PROMPT},
                    **{name: [row[name] for row in group] for name in ("image", *RANKS)},
                }
                for group in self.groups()
            ]
        found = []
        for group in self.groups():
            for one, other in itertools.combinations(group, 2):
                if one["rank"] != other["rank"]:
                    better, worse = (one, other) if one["rank"] < other["rank"] else (other, one)
                    found.append(
                        {"prompt": group[0]["prompt"], "img_better": better["image"], "img_worse": worse["image"]}
                    )
        return found


def undecoded(dataset):
    """The same dataset with images as dictionaries of bytes and path."""
    for name, feature in dataset.features.items():
        if feature == IMAGE:
            dataset = dataset.cast_column(name, Image(decode=False))
        elif feature == List(IMAGE):
            dataset = dataset.cast_column(name, List(Image(decode=False)))
    return dataset


def plain(cell):
    """A cell with its images as SHA-256."""
    if isinstance(cell, dict) and "bytes" in cell:
        return digest(cell["bytes"])
    return [plain(item) for item in cell] if isinstance(cell, list) else cell


def pixel_sha256(image):
    rgba = image.convert("RGBA")
    return digest(struct.pack("<II", *rgba.size) + rgba.tobytes())


def expected(loaders, size, suffix):
    """Records by split; splits without any are not there."""
    found = {}
    for shard, loader in loaders.items():
        split, number = shard.rsplit("_", 1)
        if split != "train" or int(number) <= SIZES[size]:
            found.setdefault(split, []).extend(loader.records(suffix))
    return {split: records for split, records in found.items() if records}


def first_difference(name, got, wanted):
    if len(got) != len(wanted):
        return [f"{name} has {len(got)} rows, not {len(wanted)}"]
    for at, (one, other) in enumerate(zip(got, wanted)):
        if one != other:
            return [f"{name} row {at} is {str(one)[:300]}, not {str(other)[:300]}"]
    return []


def from_card(export, config, split):
    """The pairs as images, by the two lines that the card shows."""
    with open(os.path.join(export, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```python\n(.*?)```", file.read(), re.S)
    [lines] = [block for block in blocks if "with_transform" in block]
    if len(lines.strip().splitlines()) != 2:
        raise SystemExit("the card's way to pairs of images is not two lines")
    lines = re.sub(r'split="\w+"', f'split="{split}"', lines).replace('"8k', f'"{config}')
    names = {"load_dataset": load_dataset, "repo": export}
    exec(lines, names)
    return names["pairs"]


def check_named_pairs(export, size, split, wanted, lake_pixels):
    """By default pairs name rows: the card's two lines must give the same pairs, as decoded images."""
    pairs = from_card(export, size, split)
    got = [{name: pixel_sha256(cell) if name != "prompt" else cell for name, cell in pair.items()} for pair in pairs]
    pixels = [
        {name: lake_pixels[cell] if name != "prompt" else cell for name, cell in pair.items()} for pair in wanted
    ]
    return first_difference(f"{size}_pair/{split} by the card's two lines", got, pixels)


def check_config(export, size, suffix, pairs, loaders, lake_pixels, verdict):
    name = size + suffix
    loaded = load_dataset(export, name)
    wanted = expected(loaders, size, suffix)
    problems = verdict["problems"]
    verdict["configs"][name] = {split: len(rows) for split, rows in loaded.items()}
    if sorted(loaded) != sorted(wanted):
        problems.append(f"{name} has the splits {sorted(loaded)}, not {sorted(wanted)}")
        return
    for split, records in wanted.items():
        dataset = loaded[split]
        if suffix == "_pair" and pairs == "rows":
            if len(dataset) != len(records):
                problems.append(f"{name}/{split} has {len(dataset)} rows, not {len(records)}")
            if size in ("1k", "8k"):
                problems += check_named_pairs(export, size, split, records, lake_pixels)
            continue
        if list(dataset.features.items()) != list(FEATURES[suffix].items()):
            problems.append(f"{name} has the features {dataset.features}")
            continue
        got = [{key: plain(cell) for key, cell in row.items()} for row in undecoded(dataset)]
        problems += first_difference(f"{name}/{split}", got, records)


def check_pixels(export, lake_pixels, verdict):
    """Every image of the rows and of the groups, as `datasets` decodes it."""
    for name in ("8k", "8k_group"):
        decoded = load_dataset(export, name)
        raw = {split: undecoded(dataset) for split, dataset in decoded.items()}
        for split, dataset in decoded.items():
            for row, source in zip(dataset, raw[split]):
                images, bytes_ = row["image"], plain(source["image"])
                pairs = zip(images, bytes_) if isinstance(images, list) else [(images, bytes_)]
                for image, sha256 in pairs:
                    if pixel_sha256(image) == lake_pixels[sha256]:
                        verdict["images"] += 1
                    else:
                        verdict["problems"].append(f"{name}/{split}: other pixels in {sha256}")


def check_streaming(export, loaders, verdict):
    for suffix in ("", "_group"):
        for split, records in expected(loaders, "8k", suffix).items():
            count = 0
            for row in load_dataset(export, "8k" + suffix, split=split, streaming=True):
                images = row["image"] if suffix else [row["image"]]
                assert all(image.convert("RGB").size for image in images)
                count += 1
            if count != len(records):
                verdict["problems"].append(f"streaming 8k{suffix}/{split} gave {count} rows, not {len(records)}")


def check_files(export, verdict):
    """Sizes of files and of row groups, and that the features stand in the parquet files as well."""
    for folder, _, names in os.walk(os.path.join(export, "data")):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.getsize(path) > 500_000_000:
                verdict["problems"].append(f"{path} is larger than 500 MB")
            about = pyarrow.parquet.ParquetFile(path)
            sizes = [about.metadata.row_group(at).num_rows for at in range(about.num_row_groups)]
            verdict["row_groups"] = max(verdict["row_groups"], *sizes)
            if b"huggingface" not in (about.schema_arrow.metadata or {}):
                verdict["problems"].append(f"{path} tells no features")


def main():
    export, source, lake, shards, pairs = sys.argv[1:]
    loaders = {shard: Loader(source, shard) for shard in shards.split(",")}
    images = pyarrow.parquet.read_table(os.path.join(lake, "tables/images"), partitioning=None)
    lake_pixels = dict(zip(images["sha256"].to_pylist(), images["pixel_sha256"].to_pylist()))
    verdict = {"configs": {}, "images": 0, "row_groups": 0, "problems": []}
    if sorted(get_dataset_config_names(export)) != sorted(size + suffix for size in SIZES for suffix in FEATURES):
        verdict["problems"].append(f"the configurations are {get_dataset_config_names(export)}")
    for size in SIZES:
        for suffix in FEATURES:
            check_config(export, size, suffix, pairs, loaders, lake_pixels, verdict)
    whole = load_dataset(export)
    if not isinstance(whole["test"], Dataset) or len(whole["test"]) != len(load_dataset(export, "8k")["test"]):
        verdict["problems"].append("the default configuration is not 8k")
    check_pixels(export, lake_pixels, verdict)
    check_streaming(export, loaders, verdict)
    check_files(export, verdict)
    shutil.rmtree(HOME)
    print(json.dumps(verdict))
    sys.stdout.flush()
    os._exit(0)


main()
