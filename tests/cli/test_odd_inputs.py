"""Odd inputs, the line that each gives, and the exit status."""

import numpy as np
import pytest

SELECT = "select -r 0.3 DATA"
RATIO = "--ratio: "
KEPT = "it is the fraction kept"
# Command -> what its only line has, in this order; 0 for inputs that work.
ODD = {
    "select -r 0.3 DATA --counts -0": "use --counts or --null, not both",
    "select -r 30% DATA": 0,
    "select -r 25%,0.5 DATA -o k-{ratio}.txt": 0,
    "select -r 0.3 --dedup 95% DATA": 0,
    "select -r 0.3 --quantile 50% DATA": 0,
    "select -r 30 DATA": f"{RATIO}30 is not in (0, 1]; {KEPT}. For 30 % write 0.3 or 30%.",
    "select -r 1.5 DATA": f"{RATIO}1.5 is not in (0, 1]; {KEPT}. For 1.5 % write 0.015 or 1.5%.",
    "select -r 130% DATA": f"{RATIO}130% is not in (0, 1]; {KEPT}.",
    "select -r 0,3 DATA": f"{RATIO}0 is not in (0, 1]; {KEPT}. For 0,3 write 0.3.",
    "select -r 10,30 DATA": f"{RATIO}10 is not in (0, 1]; {KEPT}. For 10 % write 0.1 or 10%.",
    "select -r ,3 DATA": f"{RATIO}'' is not a number. For ,3 write 0.3.",
    f"{SELECT} --dedup 95": "--dedup: 95 is not in (0, 1]. For 95 % write 0.95 or 95%.",
    f"{SELECT} --dedup 0,95": "--dedup: '0,95' is not a number. For 0,95 write 0.95.",
    f"{SELECT} --quantile 50": "--quantile: 50 is not in [0, 1]. For 50 % write 0.5 or 50%.",
    f"{SELECT} --drop-suspects 15": "15 is not in (0, 1). For 15 % write 0.15 or 15%.",
    f"{SELECT} --drop-suspects atuo": "'atuo' is neither auto nor a number. Did you mean auto?",
    "duplicates DATA --threshold 95": "95 is not in (0, 1]. For 95 % write 0.95 or 95%.",
    "perturb DATA -o p --label-noise 15": "15 is not in [0, 1]. For 15 % write 0.15 or 15%.",
    "suspects DATA --fraction 15": "15 is not in (0, 1). For 15 % write 0.15 or 15%.",
    "evaluate DATA --within 1": "1 is not in [0, 1). For 1 % write 0.01 or 1%.",
    "evaluate DATA --within 0,5": "'0,5' is not a number. For 0,5 write 0.5.",
    # Options without a value.
    "select DATA --strategy": "error: --strategy needs a value, such as adaptive (see 'moderate se",
    "select DATA -r": "error: -r needs a value, such as 0.3 (see",
    "select DATA -o": "error: -o needs a value: FILE (see",
    f"{SELECT} --strategy --dedup 0.9": "needs a value, such as adaptive; '--dedup' was taken for",
    "select -r 0.3 --drop-suspects DATA": "needs a value, such as auto; 'DATA' was taken for it.",
    "select -r 0.3 --dedup DATA": "needs a value, such as 0.95; 'DATA' was taken for it.",
    # Near misses.
    "slect DATA": "command 'slect' is unknown; did you mean select?",
    "prune DATA": "command 'prune' is unknown; did you mean select?",
    "version": "command 'version' is unknown; did you mean --version?",
    "help slect": "'slect' is unknown; did you mean select?",
    "select --startegy easy": "option --startegy is unknown; did you mean --strategy?",
    "select --ration 0.3": "option --ration is unknown; did you mean --ratio?",
    "embed --dry": "option --dry is unknown; did you mean --dry-run?",
    "select --dry-run": "option --dry-run is unknown; did you mean --counts?",
    f"{SELECT} --strategy trimed": "'trimed' is unknown; did you mean adaptive?",
    f"{SELECT} --criterion marginn": "'marginn' is unknown; did you mean margin?",
    f"{SELECT} --backbone resnet_50": "'resnet_50' is unknown; did you mean resnet50?",
    f"{SELECT} --config nosy-labels": "No such file or directory; did you mean noisy-labels? B",
    f"{SELECT} -o kept.cvs": "kept.cvs: unknown suffix; did you mean .csv?",
    "select 0.3 DATA": "error: '0.3' belongs to no option; write --ratio 0.3 (see",
    "select -r 0.3 0.5 DATA": "error: '0.5' belongs to no option; several ratios have commas and no"
    " spaces, such as --ratio 0.1,0.3 (see",
    "report DATA 30%": "error: '30%' belongs to no option; write --ratio 30% (see",
    "select -r 0.3 DATA more": "error: 'more' is one argument too many; DATA is 'DATA' (see",
    "--ratio 0.3 select DATA": "option --ratio is unknown here; options follow the command:"
    " moderate select --ratio (see",
    "--versoin": "option --versoin is unknown here; did you mean --version? (see",
    "select -r=0.3 DATA --count 0": "error: --count: 0 is less than 1. (see",
    "select -r 3:10 DATA": "error: --ratio: '3:10' is not a number. Write 0.3, 30% or 3/10. (see",
    f"{SELECT} --keep-from k.jsn": "k.jsn: No such file or directory; did you mean k.json?",
    f"{SELECT} --device gpu": "'gpu' is unknown; did you mean cuda?",
    # What belongs together.
    f"{SELECT} --labels kmeans": "'kmeans' has no number of clusters; use kmeans:K, e.g.",
    f"{SELECT} --labels kmean:10": "'kmean:10' has no number of clusters; use kmeans:K, e.g.",
    "evaluate DATA --network resnet18": "error: --network needs --with train (see",
    "evaluate DATA --steps 10": "error: --steps needs --with train or --with fine-tune (see",
    "report --png p": "missing DATA, a dataset folder (see",
    "verify k.json": "missing DATA, a dataset folder (see",
    "verify kep.json DATA": "kep.json: No such file or directory; did you mean k.json?",
}
# Known only once files are looked at: the status is 1.
FACTS = {
    "select -r 0.3 DATU": "DATU: No such file or directory; did you mean DATA?",
    "select -r 0.3 DATU/cat": "DATU/cat: No such file or directory; did you mean DATA/cat?",
    "select -r 0.3 --features f.npy --labels yy.npy": "yy.npy: No such file or directory; did you",
    f"{SELECT} --backbone resnet18 --weights wieghts.pt": "did you mean weights.pt?",
    f"{SELECT} -o nowhere/k.txt": "nowhere/k.txt: there is no folder nowhere; create it first",
    # What would be replaced.
    f"{SELECT} --copy-to DATA": "DATA: contains the dataset; choose a separate folder",
    f"{SELECT} --copy-to full": "full: exists; choose another folder",
    f"{SELECT} --copy-to full --force": "full: was not made by --copy-to, so --force does not",
    f"{SELECT} --copy-to DATA/kept": "is inside the dataset; choose a folder outside it",
}


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data.rename("DATA").parent.joinpath("data").rmdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    for name in ("weights.pt", "k.json"):
        (tmp_path / name).touch()
    for name in ("y.npy", "f.npy"):
        np.save(tmp_path / name, np.ones((2, 2)))


@pytest.mark.parametrize("line", ODD | FACTS)
def test_an_odd_input_has_one_line_that_helps_and_no_feature_is_computed(
    line, folder, moderate, tmp_path
):
    expected = (ODD | FACTS)[line]
    done = moderate(*line.split())
    if expected == 0:
        assert done.status == 0
        return
    assert expected in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.status == (1 if line in FACTS else 2)
    assert not (tmp_path / "DATA.moderate").exists()
