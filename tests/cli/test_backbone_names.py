"""Shell completion of `--backbone`; a process of its own is tested in test_help.py."""

import pytest

from moderate_cli.cli.backbone_names import BackboneName


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("efficientnet_l", ["efficientnet_lite0", "efficientnet_lite2"]),
        ("resnet10", ["resnet101"]),
        ("a", ["auto", "alexnet"]),
        ("timm:resnet10", ["timm:resnet101", "timm:resnet101_clip", "timm:resnet101_clip_gap",
                           "timm:resnet101c", "timm:resnet101d", "timm:resnet101s",
                           "timm:resnet10t"]),
        ("open_clip:ViT-S-32", ["open_clip:ViT-S-32", "open_clip:ViT-S-32-alt"]),
        ("op", ["open_clip:"]),
        ("other:", []),
    ],
)  # fmt: skip
def test_names_are_completed_those_of_a_library_after_its_colon(typed, found):
    items = BackboneName().shell_complete(None, None, typed)
    assert [item.value for item in items] == found
