import os

import pytest

from moderate_cli import cgroups, threads


@pytest.fixture(autouse=True)
def _read_again():
    cgroups.allowed_processors.cache_clear()
    yield
    cgroups.allowed_processors.cache_clear()


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Write files of control groups, and the line of this process."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "root")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "own")

    def write(own, **files):
        (tmp_path / "own").write_text(own)
        for name, content in files.items():
            path = tmp_path / "root" / name.replace("__", "/").replace("max", ".max")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


@pytest.mark.parametrize(
    ("outer", "inner", "allowed"),
    [
        ("max 100000", "max 100000", None),
        ("max 100000", "250000 100000", 2.5),
        ("150000 100000", "max 100000", 1.5),
        ("100000 100000", "400000 100000", 1.0),
        ("damaged", "50000 100000", 0.5),
    ],
)
def test_the_lowest_limit_of_the_groups_counts(groups, outer, inner, allowed):
    groups("0::/a/b\n", cpumax="max 100000\n", a__cpumax=outer, a__b__cpumax=inner)
    assert cgroups.allowed_processors() == allowed


def test_a_container_sees_its_own_group_as_the_root(groups):
    groups("0::/../elsewhere\n", cpumax="200000 100000\n")
    assert cgroups.allowed_processors() == 2


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_version_1_has_two_files_and_minus_one_for_no_limit(groups, mount):
    own = "4:memory:/x\n3:cpu,cpuacct:/docker/1\n0::/\n"
    period, quota = f"{mount}__cpu.cfs_period_us", f"{mount}__cpu.cfs_quota_us"
    groups(own, **{period: "100000\n", quota: "-1\n"})
    assert cgroups.allowed_processors() is None
    cgroups.allowed_processors.cache_clear()
    groups(own, **{quota: "300000\n"})
    assert cgroups.allowed_processors() == 3


def test_other_systems_have_no_limit(groups):
    assert cgroups.allowed_processors() is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 4), (2.5, 3), (0.5, 1), (8.0, 4)])
def test_threads_are_as_many_as_may_run_at_once(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 4, raising=False)
    monkeypatch.setattr(threads, "allowed_processors", lambda: quota)
    assert threads.processors() == expected
