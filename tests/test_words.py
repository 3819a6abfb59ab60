"""Every notice has its words."""

from typing import get_args

import pytest

from moderate_cli.label_errors.doubts import NoiseEstimate
from moderate_cli.notices import Kind, Notice
from moderate_cli.words import say, say_noise

CATS = (("cat", 2),)
SAID = [
    (Notice("waiting", names=("host 7",)), "", "waiting for host 7, which fills this store"),
    (Notice("unreadable", 2, 9), "warning", "skipped 2 unreadable of 9 images"),
    (
        Notice("corrections", 2, 1, names=("c.csv",)),
        "",
        "c.csv: corrected 2 labels, left out 1 image",
    ),
    (Notice("corrections", 1, names=("c.csv",)), "", "c.csv: corrected 1 label"),
    (Notice("corrections", names=("c.csv",)), "", "c.csv: all labels are those of DATA"),
    (
        Notice("unknown corrections", 2, names=("c.csv", "a\nb.jpg")),
        "warning",
        "c.csv: 2 paths not in DATA, e.g. a\\nb.jpg",
    ),
    (
        Notice("unconverted", names=("timm:xcit_nano",)),
        "",
        "OpenVINO cannot run timm:xcit_nano, so torch does",
    ),
    (
        Notice("turned", 2, 9),
        "",
        "2 of 9 images have an EXIF orientation, which is ignored, as ImageFolder does;"
        " --orientation exif turns them",
    ),
    (
        Notice("no features", 1, 8, names=("f.npy",)),
        "warning",
        "f.npy: skipped 1 of 8 rows, which are NaN like those of unreadable images",
    ),
    (
        Notice("coinciding", 8, 9),
        "warning",
        "8 of 9 images have the same features; are they blank, or copies of one image? Open a few",
    ),
    (
        Notice("coinciding", 9, 9),
        "warning",
        "all 9 images have the same features; are they blank, or copies of one image? Open a few",
    ),
    (
        Notice("coinciding classes", 2, 3, CATS),
        "warning",
        "2 of 3 images of class cat have the same features; are they blank, or copies of one"
        " image? Open a few",
    ),
    (
        Notice("coinciding classes", 7, 9, (("cat", 4), ("dog", 3))),
        "warning",
        "all or nearly all images of 2 classes have the same features: cat, dog; are they blank,"
        " or copies of one image? Open a few",
    ),
    (
        Notice("fitting"),
        "",
        "training a network on these images, because there is none yet",
    ),
    (
        Notice("training", 20_000, names=("resnet9",), than=372),
        "",
        "training resnet9 on 20000 images: about 6 min",
    ),
    (
        Notice("training", 1, names=("cnn",), than=59),
        "",
        "training cnn on 1 image: less than a minute",
    ),
    (
        Notice("training", 50_000, names=("resnet50",), than=9000),
        "",
        "training resnet50 on 50000 images: about 2 h",
    ),
    (
        Notice("training on", 9, names=("resnet9",), than=300),
        "",
        "training the older resnet9 further on 9 images: about 5 min",
    ),
    (
        Notice("training on", 9, names=("cnn", "--network cnn", "--epochs 2"), than=300),
        "",
        "training the older cnn further on 9 images, with --network cnn --epochs 2 as before: about"
        " 5 min",
    ),
    (
        Notice("interrupted embedding", 640, 770),
        "",
        "interrupted; 640 of 770 images are kept; run again to continue",
    ),
    (
        Notice("interrupted evaluation", 1, 60),
        "",
        "interrupted; 1 of 60 results are kept; run again to continue",
    ),
    (
        Notice("resuming", 1, 12, names=("resnet9",), than=130.0),
        "",
        "resuming the training of resnet9 after 1 of 12 epochs: about 2 min",
    ),
    (
        Notice("interrupted", 3, 12),
        "",
        "stopped; 3 of 12 epochs are kept, and the same command goes on from there",
    ),
    (
        Notice("interrupted", 0, 12),
        "",
        "stopped before the first of 12 epochs was kept; the same command begins again",
    ),
    (
        Notice("fitted", names=("resnet9",), share=0.612, than=0.55),
        "",
        "resnet9 is right for 61.2 % of images that it did not see, a linear probe on the default"
        " features for 55.0 %",
    ),
    (
        Notice("fitted alone", names=("resnet9",), share=0.612),
        "",
        "resnet9 is right for 61.2 % of images that it did not see; `moderate fit` compares it with"
        " the default features",
    ),
    (
        Notice("fitted is used", names=("resnet9",), share=0.612, than=0.55),
        "",
        "using the features of `moderate fit`: resnet9 is right for 61.2 % of images that it did"
        " not see, a linear probe on the default features for 55.0 %",
    ),
    (
        Notice("fitted is old"),
        "warning",
        "the network of `moderate fit` is older than the images; run it again",
    ),
    (
        Notice("images as before", names=("train.csv", "photos")),
        "",
        "images of train.csv are in photos, as --images said before",
    ),
    (
        Notice("fitted is old", names=("c.csv",)),
        "warning",
        "the network of `moderate fit` is older than the images; run it again with --labels c.csv",
    ),
    (
        Notice("fitted to other labels", names=("c.csv",)),
        "warning",
        "the network of `moderate fit` was trained on other labels; run it again with --labels"
        " c.csv",
    ),
    (
        Notice("fitted to other labels"),
        "warning",
        "the network of `moderate fit` was trained on corrected labels; name them with --labels",
    ),
    (
        Notice("fitted otherwise", names=("exif",)),
        "warning",
        "the network of `moderate fit` was trained with --orientation exif; use that here, or run"
        " it again with the other",
    ),
    (
        Notice("fitted to some", 90, 100),
        "",
        "training on 90 of 100 images; the others are unreadable, or do not fit in memory",
    ),
    (
        Notice("noisy labels", 24, 100),
        "warning",
        "24 of the 100 kept images are likely label errors: look at `moderate suspects DATA`, or"
        " add --drop-suspects auto",
    ),
    (
        Notice("noisy labels", 24, 100, names=("adaptive",)),
        "warning",
        "24 of the 100 kept images are likely label errors: use --strategy adaptive, look at"
        " `moderate suspects DATA`, or add --drop-suspects auto",
    ),
    (
        Notice("hardly known", share=0.128),
        "warning",
        "a linear probe on these features is right for only 13 % of the images, so wrong labels"
        " cannot be told from hard images; try other features, such as those of another --backbone"
        " or of your own --weights",
    ),
    (
        Notice("hardly known", names=("moderate fit",), share=0.128),
        "warning",
        "a linear probe on these features is right for only 13 % of the images, so wrong labels"
        " cannot be told from hard images; try other features, such as those of `moderate fit`, of"
        " another --backbone or of your own --weights",
    ),
    (
        Notice("suspects", 1, 8),
        "",
        "dropped 1 likely label error; selecting from the remaining 8 images",
    ),
    (
        Notice("suspects", 0, 8),
        "",
        "dropped no likely label errors; selecting from all 8 images",
    ),
    (
        Notice("doubtful suspects", 0, 100, share=0.1),
        "warning",
        "all probabilities add up to about 10 % of the labels, but no single image is likely wrong",
    ),
    (
        Notice("earlier suspects", 2, names=("kept.txt",)),
        "",
        "did not drop 2 likely label errors, because kept.txt has them",
    ),
    (
        Notice("earlier duplicates", 1, names=("kept.txt",)),
        "",
        "did not drop 1 near duplicate, because kept.txt has it",
    ),
    (
        Notice("spared suspects", 2, classes=CATS, least=3),
        "",
        "did not drop 2 likely label errors, so that each class keeps --min-per-class 3: cat 2",
    ),
    (
        Notice("lost to suspects", 2, classes=CATS),
        "warning",
        "1 class had nothing but likely label errors, so no image is left: cat 2; --min-per-class"
        " 1 keeps one of each",
    ),
    (Notice("duplicates"), "", "no near duplicates"),
    (Notice("duplicates", 3, 1), "", "3 near duplicates of 1 image"),
    (
        Notice("torn duplicates", 1, names=("a and b",)),
        "warning",
        "1 pair of near duplicates has different labels, so one label is wrong: a and b",
    ),
    (
        Notice("torn duplicates", 2, names=("a and b", "c and d")),
        "warning",
        "2 pairs of near duplicates have different labels, so one label of each is wrong: a and b,"
        " c and d",
    ),
    (Notice("leaks", 0, 0, names=("test",)), "", "no near duplicates of images in test"),
    (Notice("leaks", 1, 2, names=("test",)), "", "1 near duplicate of 2 images in test"),
    (
        Notice("leaked test images", 1, 30, names=("test",)),
        "warning",
        "1 of 30 test images has a near duplicate in DATA, so accuracies are too high;"
        " `moderate duplicates test --against DATA` lists them",
    ),
    (
        Notice("spared duplicates", 1, classes=(("cat", 1),), least=1),
        "",
        "did not drop 1 near duplicate, so that each class keeps --min-per-class 1: cat 1",
    ),
    (
        Notice("lost to duplicates", 3, classes=tuple((f"{n:02}", 1) for n in range(12))),
        "warning",
        "12 classes had nothing but near duplicates, so no image is left: 00 1, 01 1, 02 1, 03 1,"
        " 04 1, 05 1, 06 1, 07 1, 08 1, 09 1 and 2 more classes; --min-per-class 1 keeps one of"
        " each",
    ),
    (
        Notice("updating", 196, 770),
        "",
        "embedding 196 new or changed images; 770 are as before",
    ),
    (
        Notice("kept from", 160, 167, names=("old.txt",)),
        "",
        "keeping 160 of 167 images of old.txt; 7 are gone",
    ),
    (
        Notice("kept from", 1, 1, names=("old.txt",)),
        "",
        "keeping 1 image of old.txt",
    ),
    (
        Notice("expected", 1108, 20, share=31.0, than=140.0),
        "",
        "about 3 min: 30 s to embed 1108 images, 2 min to compare selections by 20 classifiers",
    ),
    (Notice("expected", 0, 20, than=4.0), "", "about 4 s to compare selections by 20 classifiers"),
    (
        Notice("doubted", 118, 620),
        "",
        "each seed judges on 620 held-out images; about 118 of their labels are probably wrong and"
        " count less",
    ),
    (
        Notice("doubted", 1, 9),
        "",
        "each seed judges on 9 held-out images; about 1 of their labels is probably wrong and"
        " counts less",
    ),
    (
        Notice("seen"),
        "warning",
        "the network of `moderate fit` was trained on the held-out images, too, so all accuracies"
        " are too high; name a test set with --test",
    ),
    (
        Notice("few seeds", 2, least=3),
        "",
        "2 seeds cannot give intervals; use --seeds 3 or more",
    ),
    (
        Notice("floors", 4, 6, least=3),
        "warning",
        "--min-per-class 3 needs 6 images, and only 4 are kept, so some classes have fewer",
    ),
    (
        Notice("rescued classes", 1, names=("owl",), share=2.0, least=1),
        "warning",
        "the selection would contain no image of 1 class (owl), so one was added; --scope class"
        " gives each class its share",
    ),
    (
        Notice("rescued classes", 2, names=("dog", "owl"), share=0.5, least=3),
        "warning",
        "the selection would contain no image of 2 classes (dog, owl), so up to 3 of each were"
        " added; keep more images",
    ),
    (
        Notice("lost classes", 2, names=("dog", "owl"), share=0.5),
        "warning",
        "the selection contains no image of 2 classes (dog, owl); keep more images",
    ),
]


@pytest.mark.parametrize(("notice", "level", "text"), SAID)
def test_a_notice_is_said_in_a_sentence(notice, level, text):
    assert say(notice) == (level, text)


def test_all_kinds_are_tried():
    assert {notice.kind for notice, *_ in SAID} == set(get_args(Kind))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            NoiseEstimate(1, 20, 0.05),
            "1 likely label error; estimated label noise about 5 %, which hard images alone can"
            " cause",
        ),
        (
            NoiseEstimate(3, 20, 0.15),
            "3 likely label errors; estimated label noise at least about 15 %",
        ),
        (
            NoiseEstimate(3, 100, 0.2, accuracy=0.2),
            "3 likely label errors; a linear probe on these features is right for only 20 % of the"
            " images, so wrong labels cannot be told from hard images; try other features, such as"
            " those of another --backbone or of your own --weights",
        ),
        (NoiseEstimate(0, 100, 0.001), "no likely label errors; the labels look right"),
        (
            NoiseEstimate(9, 100, 0.05),
            "9 likely label errors with a probability above 0.5; all probabilities add up to about"
            " 5 % of the labels, so some of these are right",
        ),
        (
            NoiseEstimate(1, 100, 0.1),
            "1 likely label error with a probability above 0.5; all probabilities add up to about"
            " 10 % of the labels, so others are wrong, too",
        ),
    ],
)
def test_label_noise_is_said_beside_the_likely_label_errors(found, text):
    assert say_noise(found) == text
