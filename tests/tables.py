"""Tables with images in their rows, as Hugging Face writes them."""

import itertools
import json
from pathlib import Path

import pyarrow
from pyarrow import ipc, parquet


def rows_of(root):
    """Bytes and class of each image in class folders, in their order."""
    files = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return [(path.read_bytes(), path.parent.name) for path in files]


def table_of(rows, names=("cat", "dog", "owl"), **more):
    """A table of images with numbers of classes, -1 for those of another name."""
    images = [{"bytes": content, "path": f"{at}.png"} for at, (content, _) in enumerate(rows)]
    labels = [names.index(name) if name in names else -1 for _, name in rows]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(names), "_type": "ClassLabel"},
    }
    columns = {"image": pyarrow.array(images, kind), "label": labels, **more}
    return pyarrow.table(columns).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


def write_shards(folder, table, count, split="train", group=2):
    """Write a table to some files of Parquet, with names as on the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, part in enumerate(parts_of(table, count)):
        name = f"{split}-{at:05}-of-{count:05}.parquet"
        parquet.write_table(part, folder / name, row_group_size=group, compression="zstd")


def save(folder, table, count=1, group=2):
    """Write what `Dataset.save_to_disk` writes."""
    folder.mkdir(parents=True)
    names = [f"data-{at:05}-of-{count:05}.arrow" for at in range(count)]
    for name, part in zip(names, parts_of(table, count), strict=True):
        with ipc.new_stream(str(folder / name), table.schema) as stream:
            stream.write_table(part, max_chunksize=group)
    files = [{"filename": name} for name in names]
    state = {"_data_files": files, "_fingerprint": "4f0c1386f3b3af88", "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def parts_of(table, count):
    """Divide a table as `Dataset.shard` does."""
    bounds = [len(table) * at // count for at in range(count + 1)]
    return [table.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


def read_saved(folder):
    """All rows of a saved dataset."""
    state = json.loads((folder / "state.json").read_text())
    names = [one["filename"] for one in state["_data_files"]]
    return pyarrow.concat_tables(ipc.open_stream(str(folder / one)).read_all() for one in names)
