"""The bench's usual Python script: the shards' images table, as one writes it in an afternoon.

usual.py [--pool] FOLDER SHARD...     SHARD: train_1; the Hub is HF_ENDPOINT's

Each zip is downloaded by huggingface_hub, read by zipfile, hashed by hashlib, decoded by Pillow and written as parquet
by pyarrow, with the columns of the lake's images table. Without --pool in one process; with it in one process a zip,
all at once. The last line on stdout is the number of images.

It does less than a mirror: no hash of the zip is checked, no row is held against the metadata, no picture is stored
anywhere else, there are no other tables, and dhash is Pillow's own idea of a small grey picture.
"""

import hashlib
import io
import json
import multiprocessing
import struct
import sys
import zipfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
from huggingface_hub import hf_hub_download
from PIL import Image

COPIED = [
    "image_path",
    "prompt_id",
    "prompt",
    "classification",
    "image_amount_in_total",
    "rank",
    "overall_rating",
    "image_text_alignment_rating",
    "fidelity_rating",
]


def dhash(image: Image.Image) -> str:
    grey = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            at = row * 9 + column
            bits = bits << 1 | (grey[at] > grey[at + 1])
    return f"{bits:016x}"


def read_image(content: bytes) -> dict:
    sha256 = hashlib.sha256(content).hexdigest()
    with Image.open(io.BytesIO(content)) as image:
        rgba = image.convert("RGBA")
    width, height = rgba.size
    pixels = hashlib.sha256(struct.pack("<II", width, height))
    pixels.update(rgba.tobytes())
    return {
        "object_key": f"objects/sha256/{sha256[:2]}/{sha256}.webp",
        "sha256": sha256,
        "bytes": len(content),
        "format": "webp",
        "width": width,
        "height": height,
        "source_sha256": sha256,
        "source_bytes": len(content),
        "source_width": width,
        "source_height": height,
        "pixel_sha256": pixels.hexdigest(),
        "dhash": dhash(rgba),
    }


def read_shard(folder: Path, shard: str) -> int:
    split, number = shard.split("_")
    path = hf_hub_download(
        "zai-org/ImageRewardDB", f"images/{split}/{shard}.zip", repo_type="dataset", cache_dir=folder / "hub"
    )
    rows = []
    with zipfile.ZipFile(path) as archive:
        members = {Path(info.filename).name: info for info in archive.infolist()}
        for row in json.loads(archive.read(members[f"{shard}.json"])):
            info = members[Path(row["image_path"]).name]
            rows.append(
                {
                    "image_id": Path(row["image_path"]).stem,
                    **{name: row[name] for name in COPIED},
                    **read_image(archive.read(info)),
                    "crc32": f"{info.CRC:08x}",
                    "split": split,
                    "shard": int(number),
                }
            )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{shard}.parquet", compression="zstd")
    return len(rows)


def main(arguments: list[str]) -> None:
    pool = arguments[0] == "--pool"
    folder, *shards = arguments[1:] if pool else arguments
    tasks = [(Path(folder), shard) for shard in shards]
    if pool:
        with multiprocessing.Pool(len(shards)) as processes:
            counts = processes.starmap(read_shard, tasks, chunksize=1)
    else:
        counts = [read_shard(*task) for task in tasks]
    print(sum(counts))


if __name__ == "__main__":
    main(sys.argv[1:])
