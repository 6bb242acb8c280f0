"""Columns and types of the four tables, as the lake format gives them."""

import pyarrow

TEXT, BYTE, INTEGER, LONG = pyarrow.string(), pyarrow.int8(), pyarrow.int32(), pyarrow.int64()


def columns(kind, names):
    return [(name, kind) for name in names.split()]


PROMPT_IMAGE = columns(TEXT, "image_id object_key") + columns(
    BYTE, "rank overall_rating image_text_alignment_rating fidelity_rating"
)


def side(name):
    texts = " ".join(f"{name}_{field}" for field in ("image_id", "image_path", "object_key"))
    numbers = " ".join(f"{name}_{field}" for field, kind in PROMPT_IMAGE if kind == BYTE)
    return columns(TEXT, texts) + columns(BYTE, numbers)


SCHEMAS = {
    "images": columns(TEXT, "image_id image_path prompt_id prompt classification")
    + columns(BYTE, "image_amount_in_total rank overall_rating image_text_alignment_rating fidelity_rating")
    + columns(TEXT, "object_key sha256")
    + columns(LONG, "bytes")
    + columns(TEXT, "format")
    + columns(INTEGER, "width height")
    + columns(TEXT, "source_sha256")
    + columns(LONG, "source_bytes")
    + columns(INTEGER, "source_width source_height")
    + columns(TEXT, "crc32 pixel_sha256 dhash")
    + columns(pyarrow.list_(TEXT), "warnings"),
    "prompts": columns(TEXT, "prompt_id prompt classification")
    + columns(pyarrow.list_(pyarrow.struct(PROMPT_IMAGE)), "images")
    + columns(INTEGER, "image_count expected_count pair_count tie_count inversion_count"),
    "pairs": columns(TEXT, "prompt_id prompt classification") + side("better") + side("worse"),
    "quarantine": columns(TEXT, "code severity image_path prompt_id member detail row")
    + columns(LONG, "bytes")
    + columns(TEXT, "sha256"),
}
PARTITION_SCHEMA = [("split", TEXT), ("shard", INTEGER)]


def plain_type(kind):
    """A type as text, blind to what says nothing about the values: nullability, names of list items, string layouts."""
    if pyarrow.types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        return "struct<" + ", ".join(f"{field.name}: {plain_type(field.type)}" for field in fields) + ">"
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_list_view(kind):
        return f"list<{plain_type(kind.value_type)}>"
    if pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind):
        return "string"
    return str(kind)
