"""The three data tables of one shard, recomputed from the source's bytes by the lake format's definitions.

Pillow decodes, hashlib and zlib hash, numpy averages. Nothing here comes from the product.
"""

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy
from PIL import Image

FORMATS = {"WEBP": "webp", "JPEG": "jpeg", "PNG": "png", "AVIF": "avif"}
EXTENSIONS = {"webp": "webp", "jpeg": "jpg", "png": "png", "avif": "avif"}
RATINGS = ("overall_rating", "image_text_alignment_rating", "fidelity_rating")
TEXTS = ("image_path", "prompt_id", "prompt", "classification")
INTEGERS = ("image_amount_in_total", "rank", *RATINGS)


class ShardSource:
    """A shard of a downloaded copy: a zip (members at its root or one folder below), or a folder."""

    def __init__(self, source, shard):
        split = shard.rsplit("_", 1)[0]
        folder = os.path.join(source, "images", split, shard)
        self.zip = None
        if os.path.isdir(folder):
            inside, beside = os.path.join(folder, shard + ".json"), folder + ".json"
            with open(inside if os.path.exists(inside) else beside, "rb") as file:
                text = file.read()
            self.names = {name: os.path.join(folder, name) for name in os.listdir(folder)}
        else:
            self.zip = zipfile.ZipFile(folder + ".zip")
            infos = [info for info in self.zip.infolist() if not info.is_dir()]
            self.names = {info.filename.rsplit("/", 1)[-1]: info for info in infos}
            text = self.zip.read(self.names[shard + ".json"])
        self.rows = json.loads(text.decode("utf-8-sig"))

    def read(self, name):
        """The member's bytes and its CRC-32 as 8 hex digits."""
        place = self.names[name]
        if self.zip is None:
            with open(place, "rb") as file:
                content = file.read()
            return content, f"{zlib.crc32(content):08x}"
        # ZipFile.read checks the CRC-32 against the directory's.
        return self.zip.read(place), f"{place.CRC:08x}"

    def close(self):
        if self.zip is not None:
            self.zip.close()


def dhash(rgba):
    """16 hex digits over a height x width x 4 array, by the definition in the lake format."""
    height, width = rgba.shape[:2]
    wide = rgba.astype(numpy.int64)
    luma = (299 * wide[:, :, 0] + 587 * wide[:, :, 1] + 114 * wide[:, :, 2] + 500) // 1000

    def bounds(cell, cells, size):
        start = cell * size // cells
        return start, max(start + 1, (cell + 1) * size // cells)

    value = 0
    for row in range(8):
        top, bottom = bounds(row, 8, height)
        means = []
        for column in range(9):
            left, right = bounds(column, 9, width)
            cell = luma[top:bottom, left:right]
            means.append(int(cell.sum()) // cell.size)
        for column in range(8):
            value = value << 1 | (means[column] > means[column + 1])
    return f"{value:016x}"


def image_warnings(content, row):
    """Codes of warnings about this image alone, sorted."""
    found = set()
    riff = 8 + struct.unpack_from("<I", content, 4)[0]
    if len(content) > riff:
        found.add("IMAGE_TRAILING_BYTES")
    place = 12
    while place + 8 <= riff:
        kind, size = struct.unpack_from("<4sI", content, place)
        if kind == b"VP8 ":
            found.add("IMAGE_NOT_LOSSLESS")
        place += 8 + size + size % 2
    if any(not 1 <= row[rating] <= 7 for rating in RATINGS):
        found.add("RATING_RANGE")
    return sorted(found)


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return numpy.asarray(image.convert("RGBA"))


def stored_passthrough(content, sha256, rgba):
    return {
        "object_key": f"objects/sha256/{sha256[:2]}/{sha256}.webp",
        "sha256": sha256,
        "bytes": len(content),
        "format": "webp",
        "width": rgba.shape[1],
        "height": rgba.shape[0],
    }


def stored_object(lake, key):
    """What the columns about a re-encoded object must say, from the object's own bytes."""
    with open(os.path.join(lake, key), "rb") as file:
        content = file.read()
    sha256 = hashlib.sha256(content).hexdigest()
    with Image.open(io.BytesIO(content)) as image:
        kind, (width, height) = FORMATS[image.format], image.size
    name = f"objects/sha256/{sha256[:2]}/{sha256}.{EXTENSIONS[kind]}"
    return {"object_key": name, "sha256": sha256, "bytes": len(content), "format": kind, "width": width, "height": height}


def image_row(source, row, decode, stored):
    """One row of `images`; `stored(path)` gives the columns of a re-encoded object, None keeps the bytes."""
    name = row["image_path"].rsplit("/", 1)[-1]
    content, crc32 = source.read(name)
    sha256 = hashlib.sha256(content).hexdigest()
    rgba = pixels(content)
    height, width = rgba.shape[:2]
    pixel_sha256 = hashlib.sha256(struct.pack("<II", width, height) + rgba.tobytes()).hexdigest()
    return {
        "image_id": name.removesuffix(".webp"),
        **{column: row[column] for column in TEXTS},
        **{column: int(row[column]) for column in INTEGERS},
        **(stored(row["image_path"]) if stored else stored_passthrough(content, sha256, rgba)),
        "source_sha256": sha256,
        "source_bytes": len(content),
        "source_width": width,
        "source_height": height,
        "crc32": crc32,
        "pixel_sha256": pixel_sha256 if decode else None,
        "dhash": dhash(rgba) if decode else None,
        "warnings": image_warnings(content, row),
    }


def rows_identity(row):
    """The same text for rows that are the same JSON value; 1.0 is 1."""

    def plain(value):
        return int(value) if isinstance(value, float) and value.is_integer() else value

    if not isinstance(row, dict):
        return json.dumps(row)
    return json.dumps({key: plain(value) for key, value in row.items()}, sort_keys=True)


def good_rows(rows, rejected):
    """
    Rows that the lake's quarantine does not reject. `rejected`: (code, row as JSON text) of its findings.
    Of equal rows the last ones are the rejected ones.
    """
    counts = {}
    for code, text in rejected:
        codes = counts.setdefault(rows_identity(json.loads(text)), {})
        codes[code] = codes.get(code, 0) + 1
    drop = {identity: max(codes.values()) for identity, codes in counts.items()}
    good = []
    for row in reversed(rows):
        identity = rows_identity(row)
        if drop.get(identity, 0) > 0:
            drop[identity] -= 1
        else:
            good.append(row)
    good.reverse()
    return good


def whole(value):
    return not isinstance(value, bool) and (isinstance(value, int) or isinstance(value, float) and value.is_integer())


def usable(row):
    """Whether a row, rejected or not, can speak for its prompt: texts are texts, numbers whole."""
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(column), str) for column in TEXTS)
        and all(whole(row.get(column)) for column in INTEGERS)
    )


def prompt_groups(rows, images):
    """Per prompt with a good image, by first appearance in the JSON: its first usable row, its images' rows."""
    first, members = {}, {}
    for row in rows:
        if usable(row):
            first.setdefault(row["prompt_id"], row)
    for image in images:
        members.setdefault(image["prompt_id"], []).append(image)
    return [(row, members[prompt]) for prompt, row in first.items() if prompt in members]


def prompt_row(first, images):
    fields = ("image_id", "object_key", "rank", *RATINGS)
    ordered = sorted(images, key=lambda image: (image["rank"], image["image_path"]))
    strict = [(better, worse) for better in images for worse in images if better["rank"] < worse["rank"]]
    return {
        "prompt_id": first["prompt_id"],
        "prompt": first["prompt"],
        "classification": first["classification"],
        "images": [{field: image[field] for field in fields} for image in ordered],
        "image_count": len(images),
        "expected_count": int(first["image_amount_in_total"]),
        "pair_count": len(strict),
        "tie_count": len(images) * (len(images) - 1) // 2 - len(strict),
        "inversion_count": sum(better["overall_rating"] < worse["overall_rating"] for better, worse in strict),
    }


def pair_rows(first, images):
    fields = ("image_id", "image_path", "object_key", "rank", *RATINGS)
    pairs = [(better, worse) for better in images for worse in images if better["rank"] < worse["rank"]]
    pairs.sort(key=lambda pair: (pair[0]["image_path"], pair[1]["image_path"]))
    return [
        {
            **{column: first[column] for column in ("prompt_id", "prompt", "classification")},
            **{f"better_{field}": better[field] for field in fields},
            **{f"worse_{field}": worse[field] for field in fields},
        }
        for better, worse in pairs
    ]


def shard_tables(source_dir, shard, *, rejected=(), decode=True, stored=None, threads=2):
    """
    `images`, `prompts` and `pairs` of one shard, lists of dictionaries in the order that the parquet files
    must have, and the counts that follow from them.
    """
    source = ShardSource(source_dir, shard)
    try:
        good = good_rows(source.rows, rejected)
        with ThreadPoolExecutor(threads) as pool:
            images = list(pool.map(lambda row: image_row(source, row, decode, stored), good))
    finally:
        source.close()
    groups = prompt_groups(source.rows, images)
    tables = {
        "images": images,
        "prompts": [prompt_row(first, members) for first, members in groups],
        "pairs": [pair for first, members in groups for pair in pair_rows(first, members)],
    }
    counts = {
        "rows_in": len(source.rows),
        "rows_published": len(images),
        "rows_rejected": len(source.rows) - len(images),
        "members_in": len(source.names) - (f"{shard}.json" in source.names),
        "prompts": len(tables["prompts"]),
        "pairs": len(tables["pairs"]),
        "ties": sum(row["tie_count"] for row in tables["prompts"]),
        "objects_bytes": sum({image["object_key"]: image["bytes"] for image in images}.values()),
    }
    return tables, counts
