import open_clip
import timm

from moderate_cli.networks.names import models_of
from moderate_cli.networks.table import ELSEWHERE


def test_the_names_in_the_files_are_those_that_the_libraries_list():
    assert set(models_of("timm")) == set(timm.list_models())
    assert set(models_of("open_clip")) == set(open_clip.list_models())


def test_a_library_that_is_not_installed_has_no_names():
    assert models_of("no_such_library") == ()


def test_names_of_models_elsewhere_lead_to_models_with_weights():
    known = {f"timm:{name}" for name in timm.list_models(pretrained=True)}
    known |= {f"open_clip:{model}/{tag}" for model, tag in open_clip.list_pretrained()}
    assert set(ELSEWHERE.values()) <= known
