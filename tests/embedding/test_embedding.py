import os
import shutil
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import paint
from listeners import Told
from PIL import Image

from moderate_cli import embed, estimate
from moderate_cli.dataset import scan
from moderate_cli.embedding.engines import batches, local
from moderate_cli.errors import ArgumentError, DatasetError, StoreError, UnreadableImages
from moderate_cli.notices import Notice
from moderate_cli.store import blocks, writer
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.partial import PartialSet
from moderate_cli.threads import processors

OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "on_error": "skip"}


@pytest.fixture
def read(monkeypatch):
    """Names of the images that were decoded."""
    names = []

    def spy(path, *how, original=batches.read_image):
        names.append(f"{Path(path).parent.name}/{Path(path).name}")
        return original(path, *how)

    monkeypatch.setattr(batches, "read_image", spy)
    return names


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)


def pixels(root: Path, **options) -> FeatureStore:
    return embed(scan(root), **{**OPTIONS, **options})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def grays(store: FeatureStore) -> list[float]:
    return [round(255 * float(value), 3) for value in store.features[:, 0]]


def test_features_are_in_the_order_of_the_dataset(data):
    store = pixels(data)
    assert grays(store) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert store.labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 2]
    assert store.manifest.classes == ("cat", "dog", "owl")


def test_a_complete_set_is_opened_without_reading_an_image(data, read):
    pixels(data)
    assert len(read) == 8
    pixels(data)
    assert len(read) == 8


def test_the_same_images_give_the_same_bytes_whatever_the_workers_and_blocks(data, monkeypatch):
    before = contents(pixels(data, store=data.parent / "a", workers=1, batch_size=1).folder)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 2)
    after = contents(pixels(data, store=data.parent / "b", workers=7, batch_size=5).folder)
    assert before == after


def test_the_set_lies_in_half_precision_by_default(data):
    store = embed(scan(data), backbone="pixels")
    assert store.folder == data.parent / "train.moderate" / "pixels-float32-float16"
    assert store.features.dtype == np.float16


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(data, read, small_blocks, monkeypatch):
    whole = contents(pixels(data, store=data.parent / "whole").folder)
    read.clear()

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixels(data, batch_size=1, listener=Told(embed=stop))
    partial = data.parent / "train.moderate" / "pixels-float32-float32.partial"
    assert np.flatnonzero(PartialSet(partial).finished).tolist() == [0, 1, 2]
    read.clear()
    counts = []
    store = pixels(data, listener=Told(embed=counts))
    assert sorted(read) == ["cat/3.png", "cat/4.png", "dog/0.png", "dog/1.png", "owl/0.png"]
    assert counts == [(3, 8), (6, 8), (8, 8)]  # once a batch, of a block at most
    assert contents(store.folder) == whole
    assert sorted(os.listdir(store.folder.parent)) == ["moderate.lock", "pixels-float32-float32"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, ZeroDivisionError])
def test_a_slow_block_is_kept_in_pieces(data, read, monkeypatch, end):
    monkeypatch.setattr(local, "PATIENCE", 0.0)
    (data / "cat" / "2.png").write_bytes(b"")
    whole = contents(pixels(data, batch_size=2, store=data.parent / "whole").folder)
    told = []

    def stop(done, total):
        if done == 6:
            raise end

    with pytest.raises(end):
        pixels(data, batch_size=2, listener=Told(embed=stop, notice=told))
    partial = PartialSet(data.parent / "train.moderate" / "pixels-float32-float32.partial")
    assert np.flatnonzero(partial.finished).tolist() == [0, 1, 2, 3]
    kept = Notice("interrupted embedding", 4, 8)
    assert told == ([kept] if end is KeyboardInterrupt else [])
    read.clear()
    store = pixels(data, batch_size=2)
    assert sorted(read) == ["cat/4.png", "dog/0.png", "dog/1.png", "owl/0.png"]
    for name in ("dataset.txt",):
        whole.pop(name)
    assert contents(store.folder) | whole == contents(store.folder)
    assert store.unreadable == {2: "is empty"}


def test_a_torn_journal_line_costs_its_block(data, small_blocks, read):
    with pytest.raises(ZeroDivisionError):
        pixels(data, batch_size=1, listener=Told(embed=lambda done, total: 1 // (done - 7)))
    journal = data.parent / "train.moderate" / "pixels-float32-float32.partial" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-4])
    read.clear()
    assert grays(pixels(data)) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert len(read) == 5


def test_damage_to_a_journal_costs_time_and_nothing_else(data, small_blocks, read, rng):
    expected = contents(pixels(data).folder)
    folder = data.parent / "train.moderate" / "pixels-float32-float32"
    for trial in range(60):
        shutil.rmtree(folder)
        with pytest.raises(ZeroDivisionError):
            pixels(data, batch_size=1, listener=Told(embed=lambda done, total: 1 // (done - 7)))
        journal = folder.with_name(folder.name + ".partial") / "journal.jsonl"
        content = bytearray(journal.read_bytes())
        at = int(rng.integers(0, len(content)))
        match trial % 3:
            case 0:
                content[at] ^= 1 << int(rng.integers(0, 8))
            case 1:
                del content[at : at + 5]
            case 2:
                content[at:at] = b'{"block": 2, "unreadable": {}}\n'
        journal.write_bytes(content)
        assert contents(pixels(data).folder) == expected


def test_a_set_killed_before_it_took_its_place_is_found(data, monkeypatch, read):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "replace_folder", die)
        with pytest.raises(KeyboardInterrupt):
            pixels(data)
    read.clear()
    assert grays(pixels(data)) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert read == []


@pytest.mark.parametrize("last", ["journal.jsonl", "pending.npy", "plan.json"])
def test_a_set_killed_before_it_took_its_place_is_not_lost_to_a_change(
    data, monkeypatch, read, last
):
    def unlink(path, *args, original=Path.unlink, **options):
        original(path, *args, **options)
        if path.name == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            pixels(data)
    paint(data / "cat" / "1.png", 50)
    read.clear()
    assert grays(pixels(data)) == [0, 50, 102, 153, 255, 0, 255, 51]
    assert read == ["cat/1.png"]


def test_only_what_changed_is_embedded_again(data, read):
    pixels(data)
    read.clear()
    paint(data / "cat" / "1b.png", 60)
    paint(data / "dog" / "0.png", 10)
    (data / "cat" / "4.png").unlink()
    store = pixels(data)
    assert sorted(read) == ["cat/1b.png", "dog/0.png"]
    assert grays(store) == [0, 51, 60, 102, 153, 10, 255, 51]
    assert store.paths[2] == "cat/1b.png"


def test_renamed_touched_and_copied_files_are_not_embedded_again(data, read):
    pixels(data)
    read.clear()
    (data / "cat" / "2.png").rename(data / "cat" / "9.png")
    os.utime(data / "cat" / "0.png", ns=(0, 0))
    (data / "owl" / "1.png").write_bytes((data / "cat" / "3.png").read_bytes())
    (data / "yak").mkdir()
    (data / "dog" / "1.png").rename(data / "yak" / "1.png")
    store = pixels(data)
    assert read == []
    assert grays(store) == [0, 51, 153, 255, 102, 0, 51, 153, 255]
    assert pixels(data).manifest.classes == ("cat", "dog", "owl", "yak")


def test_rows_finished_before_a_change_are_kept_in_the_middle_of_a_run(data, read, small_blocks):
    with pytest.raises(ZeroDivisionError):
        pixels(data, batch_size=1, listener=Told(embed=lambda done, total: 1 // (done - 7)))
    paint(data / "bee" / "0.png", 7)
    paint(data / "cat" / "1.png", 50)
    read.clear()
    assert grays(pixels(data)) == [7, 0, 50, 102, 153, 255, 0, 255, 51]
    # dog/1.png and owl/0.png were not reached, but hold the bytes of images that were.
    assert sorted(read) == ["bee/0.png", "cat/1.png"]


def test_a_file_replaced_while_it_is_embedded_is_told_of_and_embedded_next_time(data, monkeypatch):
    def replace(path, *how, original=batches.read_image):
        found = original(path, *how)
        if path.endswith("dog/0.png"):
            paint(data / "dog" / "0.png", 20)
            os.utime(path, ns=(1, 1))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(batches, "read_image", replace)
        with pytest.raises(DatasetError) as caught:
            pixels(data)
    assert str(caught.value) == (
        f"{data}: 1 image changed during the embedding, e.g. dog/0.png; run again to embed the new"
        " contents"
    )
    assert grays(pixels(data))[5] == 20


def test_bad_images_keep_their_row_and_name_their_reason(data, read):
    (data / "cat" / "1.png").write_bytes(b"")
    (data / "owl" / "0.png").unlink()
    (data / "owl" / "0.png").symlink_to("nowhere")
    store = pixels(data)
    assert store.unreadable == {1: "is empty", 7: "No such file or directory"}
    assert np.isnan(store.features[[1, 7]]).all()
    assert store.readable.tolist() == [True, False, True, True, True, True, True, False]
    assert (store.folder / "unreadable.txt").read_text() == (
        "1\tcat/1.png\tis empty\n7\towl/0.png\tNo such file or directory\n"
    )
    read.clear()
    pixels(data)
    assert read == []
    paint(data / "cat" / "1.png", 51)
    assert pixels(data).unreadable == {7: "No such file or directory"}
    assert read == ["cat/1.png"]


def test_unreadable_images_are_an_error_once_all_others_are_embedded(data, read):
    (data / "cat" / "1.png").write_bytes(b"")
    for name, shown in ((f"{data}/", f"{data}/cat/1.png"), (scan(data), f"{data}/cat/1.png")):
        with pytest.raises(UnreadableImages) as caught:
            embed(name, **{**OPTIONS, "on_error": "fail"})
        assert caught.value.reasons == {shown: "is empty"}
    assert len(read) == 8
    told = []
    store = embed(data, **OPTIONS, listener=Told(notice=told))
    assert (store.unreadable, len(read)) == ({1: "is empty"}, 8)
    assert told == [Notice("unreadable", count=1, of=8)]


def test_a_part_that_completes_a_set_tells_of_unreadable_images(data, small_blocks):
    (data / "cat" / "1.png").write_bytes(b"")
    options = {**OPTIONS, "on_error": "fail"}
    assert embed(data, part=(1, 2), **options) is None
    with pytest.raises(UnreadableImages):
        embed(data, part=(2, 2), **options)
    assert embed(data, **OPTIONS).unreadable == {1: "is empty"}


def test_a_dataset_without_a_readable_image_is_an_error_even_so(data):
    for path in data.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError) as caught:
        embed(data, **OPTIONS)
    assert str(caught.value) == (
        f"{data}: none of its 8 images can be read; --on-error fail says why"
    )


def test_a_path_is_listed_as_a_dataset_is(data):
    listed = []
    listener = Told()
    listener.listed = lambda dataset, **_: listed.append(dataset.root)
    assert grays(embed(data, **OPTIONS, listener=listener)) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert estimate(str(data), **OPTIONS, listener=listener).pending == 0
    assert embed(scan(data), **OPTIONS, listener=listener).folder.parent == Path(f"{data}.moderate")
    assert listed == [data] * 3


def test_a_set_shows_what_it_holds(data):
    store = pixels(data)
    assert repr(store) == f"FeatureStore(8 images, 192 features each, in {store.folder})"


def test_names_that_are_no_utf8_or_hold_newlines_come_back(data):
    odd = os.fsdecode(b"\xff\n.png")
    paint(data / "cat" / odd, 1)
    store = pixels(data)
    assert store.paths[5] == f"cat/{odd}"
    assert pixels(data).paths == store.paths


def test_sets_of_other_backbones_and_weights_do_not_mix(data, tmp_path):
    with pytest.raises(ArgumentError, match=r"^weights: the backbone 'pixels' has no weights"):
        embed(scan(data), backbone="pixels", weights=__file__)
    assert pixels(data).folder != pixels(data, precision="bfloat16").folder


def test_a_store_of_another_dataset_is_not_overwritten(data, tmp_path):
    paint(tmp_path / "other" / "car" / "x.png", 3)
    pixels(data, store=tmp_path / "store")
    with pytest.raises(StoreError) as caught:
        pixels(tmp_path / "other", store=tmp_path / "store")
    assert str(caught.value) == (
        f"{tmp_path}/store/pixels-float32-float32: holds the features of another dataset;"
        " pass another --store DIR, or"
        " remove it"
    )
    assert grays(pixels(data, store=tmp_path / "store"))[1] == 51


@pytest.fixture
def alike(data):
    """Another dataset, whose images have the names of those in `data`."""
    root = data.with_name("test")
    for path in data.rglob("*.png"):
        paint(root / path.relative_to(data), 77)
    return root


def refusal(root: Path, store: Path | None) -> str:
    with pytest.raises(StoreError) as caught:
        pixels(root, store=store)
    with pytest.raises(StoreError) as in_parts:
        embed(scan(root), backbone="pixels", part=(1, 2), dtype="float32", store=store)
    assert str(caught.value) == str(in_parts.value)
    return str(caught.value)


def test_a_store_of_other_images_of_the_same_names_is_not_overwritten(data, alike, tmp_path, read):
    before = contents(pixels(data, store=tmp_path / "store").folder)
    assert refusal(alike, tmp_path / "store") == (
        f"{tmp_path}/store/pixels-float32-float32: holds the features of another dataset;"
        " pass another --store DIR, or"
        " remove it"
    )
    assert contents(tmp_path / "store" / "pixels-float32-float32") == before


@pytest.mark.parametrize("name", ["alike", "other"])
def test_what_an_interrupted_run_has_done_is_not_lost_to_another_dataset(
    data, alike, tmp_path, read, small_blocks, name
):
    paint(tmp_path / "data" / "other" / "car" / "x.png", 3)
    root = alike if name == "alike" else tmp_path / "data" / "other"
    with pytest.raises(ZeroDivisionError):
        pixels(data, store=tmp_path / "store", batch_size=1,
               listener=Told(embed=lambda done, total: 1 // (done - 7)))  # fmt: skip
    assert refusal(root, tmp_path / "store") == (
        f"{tmp_path}/store/pixels-float32-float32.partial: holds the features of another dataset;"
        " pass another --store DIR, or"
        " remove it"
    )
    read.clear()
    pixels(data, store=tmp_path / "store")
    assert len(read) == 2


def test_a_tar_does_not_take_the_store_of_a_folder_of_its_name(data, tmp_path):
    tar = data.with_name("train.tar")
    with tarfile.open(tar, "w") as file:
        for name in ("cat/0.png", "dog/1.png"):
            file.add(data / name, name)
    for first, second in ((data, tar), (tar, data)):
        pixels(first)
        assert refusal(second, None) == (
            f"{data}.moderate/pixels-float32-float32: holds the features of another dataset;"
            " pass another --store DIR, or"
            " remove it"
        )
        shutil.rmtree(f"{data}.moderate")


def test_a_dataset_keeps_its_store_wherever_it_goes_and_whatever_changes(data, tmp_path, read):
    pixels(data, store=tmp_path / "store")
    moved = data.rename(tmp_path / "moved")
    paint(moved / "cat" / "1.png", 50)
    read.clear()
    assert grays(pixels(moved, store=tmp_path / "store"))[1] == 50
    assert read == ["cat/1.png"]
    for path in moved.rglob("*.png"):
        paint(path, 9)
    assert set(grays(pixels(moved, store=tmp_path / "store"))) == {9}


def test_a_dataset_that_is_copied_with_its_store_keeps_it(data, tmp_path):
    pixels(data)
    shutil.copytree(data.parent, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.png"):
        paint(path, 9)
    assert set(grays(pixels(tmp_path / "copy" / "train"))) == {9}


def test_a_store_that_cannot_be_made_names_the_way_out(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        pixels(data, store=tmp_path / "file" / "store")
    assert str(caught.value) == (
        f"{tmp_path}/file/store: Not a directory; pass another --store DIR"
    )


def test_the_second_of_two_at_once_waits_and_embeds_nothing(data, read):
    waited, stores = [], []

    def second():
        stores.append(pixels(data, listener=Told(waiting=waited)))

    thread = threading.Thread(target=second)

    def start(done, total):
        if done == 1:
            thread.start()
            while not waited:
                pass

    pixels(data, batch_size=1, listener=Told(embed=start))
    thread.join()
    assert grays(stores[0]) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert len(read) == 8


def test_features_beyond_the_dtype_are_an_error_not_infinity(data, monkeypatch):
    from moderate_cli.networks import backbones

    monkeypatch.setattr(
        backbones, "_pixels", lambda original=backbones._pixels: (Huge(), *original()[1:])
    )
    with pytest.raises(StoreError) as caught:
        embed(scan(data), backbone="pixels")
    assert str(caught.value) == (
        "cat/1.png: its features are not finite in precision float32 and dtype float16;"
        " use float32 for both"
    )


class Huge(torch.nn.Flatten):
    def forward(self, images):
        return super().forward(images) * 1e6


def test_a_format_of_every_kind_fills_one_set(data):
    for number, (mode, suffix) in enumerate(
        [
            ("L", "jpg"),
            ("RGB", "jpeg"),
            ("CMYK", "jpg"),
            ("P", "png"),
            ("1", "bmp"),
            ("LA", "png"),
            ("RGB", "webp"),
            ("I;16", "tiff"),
            ("L", "pgm"),
            ("RGB", "ppm"),
        ]
    ):
        Image.new("L", (40, 20 + number), 255).convert(mode).save(
            data / "dog" / f"x{number}.{suffix}"
        )
    store = pixels(data)
    assert store.unreadable == {}
    assert len(store) == 18


@pytest.mark.parametrize("option", ["batch_size", "workers"])
def test_counts_must_be_positive(data, option):
    with pytest.raises(ArgumentError) as caught:
        pixels(data, **{option: 0})
    assert str(caught.value) == f"{option}: 0 is not positive"


def test_an_estimate_counts_what_is_pending_and_writes_nothing(data, read, small_blocks):
    options = {"dtype": "float32", "runtime": "torch"}
    assert estimate(scan(data), backbone="pixels", **options).pending == 8
    assert not data.with_name("train.moderate").exists()
    pixels(data)
    (data / "cat" / "1.png").write_bytes((data / "dog" / "1.png").read_bytes())
    paint(data / "cat" / "new.png", 77)
    del read[:]
    found = estimate(scan(data), backbone="pixels", batch_size=1, **options)
    assert (found.images, found.pending, found.sample) == (9, 1, 1)
    assert read == ["cat/new.png"]
    assert found.rate > 0
    assert found.start > 0
    assert found.seconds == pytest.approx(found.start + 1 / found.rate)
    assert found.way[:4] == ("torch", "as --runtime says", 1, processors())
    assert found.way.precisions[0] == "float32"
    store = pixels(data)
    found = estimate(scan(data), backbone="pixels", **options)
    assert found[1:7] == (0, 0, 0, 0, 0, None)
    on_disk = sum(file.stat().st_size for file in store.folder.iterdir())
    assert on_disk - 19_000 < found.size < on_disk  # but for headers and the manifest


def test_timing_says_where_the_time_went(data):
    told = []
    pixels(data, listener=Told(timed=told), workers=2)
    (timing,) = told
    assert (timing.images, timing.workers) == (8, 2)
    assert min(timing.decode, timing.transform, timing.forward, timing.write) > 0
    assert max(timing.forward, timing.write) <= timing.elapsed
    pixels(data, listener=Told(timed=told))
    assert len(told) == 1


def test_reduced_decoding_makes_a_set_of_its_own(data):
    assert pixels(data, decode="reduced").folder.name == "pixels-float32-float32-reduced"
