"""A dataset passes through the rooms in the order of the pipeline."""

import sys
from pathlib import Path

import moderate_cli
from moderate_cli.choosing import Selection
from moderate_cli.dataset import Dataset
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.store import FeatureStore

PACKAGE = f"{Path(moderate_cli.__file__).parent}/"
# What a dataset becomes on its way.
CARRIED = (Dataset, FeatureStore, LabeledFeatures, Source, Scores, Selection)
PIPELINE = ["dataset", "embedding", "store", "results", "inputs", "choosing", "exporting"]


def test_select_enters_each_room_in_the_order_of_the_pipeline(data, moderate, tmp_path):
    entered = []

    def note(frame, event, _arg):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGE):
            room = Path(file[len(PACKAGE) :]).with_suffix("").parts[0]
            if room not in entered and any(
                isinstance(value, CARRIED) for value in frame.f_locals.values()
            ):
                entered.append(room)

    args = ("select", "-r", "0.5", data)
    moderate(*args, "--store", tmp_path / "other")  # loads the modules
    sys.setprofile(note)
    try:
        done = moderate(*args, "-o", tmp_path / "kept.csv")
    finally:
        sys.setprofile(None)
    assert done.status == 0
    assert [room for room in entered if room in PIPELINE] == PIPELINE
