"""Embedding on a real Ray cluster of two nodes, each a set of processes on this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import paint
from listeners import Told
from PIL import Image

from moderate_cli import embed
from moderate_cli.dataset import scan
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.engines import ray as engine
from moderate_cli.embedding.request import Request
from moderate_cli.errors import ArgumentError, ClusterError, WeightsError
from moderate_cli.store import blocks

IMAGES = 120
OPTIONS = {"backbone": "pixels", "dtype": "float32", "runtime": "torch", "on_error": "skip"}


@pytest.fixture(scope="module")
def nodes():
    """A cluster of two nodes, of a processor each."""
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


@pytest.fixture
def many(data, monkeypatch):
    """A dataset of many blocks of rows."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    for image in range(IMAGES):
        paint(data / "cat" / f"x{image:03}.png", image)
    (data / "dog" / "bad.png").write_bytes(b"")
    return data


def pixels(root, nodes=None, **options):
    cluster = options.pop("cluster", None)
    if nodes is not None:
        cluster = Cluster(nodes.address)
    return embed(scan(root), cluster=cluster, **OPTIONS, **options)


def contents(store):
    return {path.name: path.read_bytes() for path in sorted(store.folder.iterdir())}


def actors():
    """Process numbers of the workers that embed."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(b"ray::_Actor"):
                found.append(int(entry.name))
    return sorted(found)


def test_a_cluster_gives_the_same_bytes_and_counts_as_this_process(many, nodes, capfd):
    expected, counts = [], []
    whole = contents(pixels(many, listener=Told(embed=expected)))
    store = many.parent / "other"
    found = pixels(many, nodes, store=store, listener=Told(embed=counts))
    assert contents(found) == whole
    assert counts == expected
    assert found.unreadable == {127: "is empty"}
    assert capfd.readouterr() == ("", "")


def test_only_what_changed_goes_to_the_cluster(many, nodes):
    pixels(many)
    paint(many / "cat" / "x007.png", 200)
    counts = []
    store = pixels(many, nodes, listener=Told(embed=counts))
    assert counts == [(128, 129), (129, 129)]
    assert round(255 * float(store.features[5 + 7, 0])) == 200


def test_nothing_to_embed_needs_no_cluster(data):
    before = pixels(data).features[:]
    (data / "cat" / "0.png").unlink()
    there_is_none = Cluster("127.0.0.1:1")
    found = pixels(data, cluster=there_is_none)
    assert found.features.tobytes() == before[1:].tobytes()


@pytest.mark.parametrize("lost", [1, 2])
def test_workers_killed_in_mid_run_change_nothing(many, nodes, lost, capfd):
    whole = contents(pixels(many))
    killed = []

    def kill(done, total):
        if done == 12:
            killed.extend(actors()[:lost])
            for number in killed:
                os.kill(number, signal.SIGKILL)

    assert (
        contents(pixels(many, nodes, store=many.parent / "other", listener=Told(embed=kill)))
        == whole
    )
    assert len(killed) == lost
    assert capfd.readouterr() == ("", "")


def test_a_lost_node_changes_nothing(many, nodes):
    whole = contents(pixels(many))
    nodes.add_node(num_cpus=1)
    last = nodes.add_node(num_cpus=1)

    def lose(done, total):
        if done == 12:
            nodes.remove_node(last, allow_graceful=False)

    assert (
        contents(pixels(many, nodes, store=many.parent / "other", listener=Told(embed=lose)))
        == whole
    )


def test_workers_lost_while_idle_cost_no_block_a_try(many, nodes, monkeypatch):
    import ray

    whole, send, killed = contents(pixels(many)), engine.RayEngine._send, []

    def kill_the_idle(self, waiting):
        if not killed:
            killed.extend(self._idle)
            for actor in killed:
                ray.kill(actor)
                with contextlib.suppress(ray.exceptions.RayError):  # it may die later
                    while True:
                        ray.get(actor.arrive.remote())
        send(self, waiting)

    monkeypatch.setattr(engine.RayEngine, "_send", kill_the_idle)
    monkeypatch.setattr(engine, "TRIES", 1)
    assert contents(pixels(many, nodes, store=many.parent / "other")) == whole
    assert killed


def test_what_always_ends_its_worker_is_given_up(many, nodes):
    over = threading.Event()

    def kill_all():
        while not over.wait(0.05):
            for number in actors():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)

    def start(done, total):
        if not killer.ident:  # some worker works
            killer.start()

    with pytest.raises(ClusterError) as caught:
        pixels(many, nodes, listener=Told(embed=start))
    over.set()
    killer.join()
    assert str(caught.value).startswith("Ray: 3 workers were lost ")
    assert str(caught.value).endswith(
        "check that they have enough memory, and that all nodes have the same version of moderate"
    )
    assert pixels(many).readable.sum() == IMAGES + 8


def test_an_error_of_a_worker_is_that_of_this_process(data, nodes, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"none")
    options = {"weights": tmp_path / "weights.pt"}
    with pytest.raises(WeightsError) as here:
        embed(scan(data), **options)
    with pytest.raises(WeightsError) as there:
        embed(scan(data), **options, cluster=Cluster(nodes.address))
    assert str(there.value) == str(here.value)


def test_a_cluster_without_room_is_one_line(data, nodes):
    with pytest.raises(ClusterError) as caught:
        pixels(data, cluster=Cluster(nodes.address, num_workers=70))
    assert str(caught.value).startswith("Ray: no room for 70 workers of 1 CPUs and 0 GPUs each in ")
    assert str(caught.value).endswith(" nodes; use fewer --num-workers, --gpus-per-worker or -j")
    with pytest.raises(ClusterError, match=r"^Ray: no room for .* and 0\.5 GPUs each in "):
        pixels(data, cluster=Cluster(nodes.address, gpus_per_worker=0.5))


def test_a_cluster_that_others_use_is_not_waited_for_without_end(data, nodes, monkeypatch):
    import ray

    class Busy:  # in here, so that it is sent, and not looked for in this module
        def here(self):
            pass

    monkeypatch.setattr(engine, "PATIENCE", 3)
    ray.init(address=nodes.address, log_to_driver=False)
    try:
        total = int(ray.cluster_resources()["CPU"])
        busy = [ray.remote(num_cpus=1)(Busy).remote() for _ in range(total)]
        # Those that find room: a lost node may still be counted.
        ray.wait([one.here.remote() for one in busy], num_returns=total, timeout=30)
        request = Request.of(scan(data), EmbedOptions(backbone="pixels", runtime="torch"))
        with pytest.raises(ClusterError) as caught:
            engine.RayEngine(request, Cluster())
    finally:
        ray.shutdown()
    assert str(caught.value) == (
        "Ray: no worker found room within 3 s (0 CPUs and 0 GPUs are free); try again when"
        " other jobs are done"
    )


def test_a_cluster_that_is_not_there_is_one_line(data):
    with pytest.raises(ClusterError) as caught:
        pixels(data, cluster=Cluster("nowhere"))
    assert str(caught.value).startswith("Ray at nowhere: cannot be reached (")
    with pytest.raises(ClusterError) as caught:
        pixels(data, cluster=Cluster("127.0.0.1:1"))
    assert str(caught.value) == (
        "Ray at 127.0.0.1:1: cannot be reached (Connection refused); `ray start --head` starts a"
        " cluster and prints its address"
    )
    for address, reason in (
        ("ray://localhost:10001", "^--ray-address ray://.*: Ray's client cannot stream; "),
        ("127.0.0.1:99999999999999999999", r"^Ray at 127\.0\.0\.1:9+: cannot be reached \("),
    ):
        with pytest.raises(ClusterError, match=reason):
            pixels(data, cluster=Cluster(address))


def test_without_ray_the_line_says_how_to_install_it(data, moderate, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ArgumentError, match=r"^Ray: is not installed; pip install 'moderate-cli"):
        pixels(data, cluster=Cluster())
    done = moderate("embed", data, "--engine", "ray")
    assert done == (
        2, "", "moderate: error: Ray: is not installed; pip install 'moderate-cli[ray]'\n"
    )  # fmt: skip


def test_options_of_ray_need_ray(data, moderate):
    done = moderate("embed", data, "--num-workers", "2")
    assert (done.status, done.stderr) == (
        2,
        "moderate: error: --num-workers needs --engine ray (see 'moderate embed --help')\n",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_its_cluster(data, shell, tmp_path, number):
    for image in range(6000):
        paint(data / "cat" / f"x{image}.png", image % 256)
    environment = os.environ | {"MODERATE_BACKBONE": "pixels", "MODERATE_DTYPE": "float32"}
    process = subprocess.Popen(
        [sys.executable, "-m", "moderate_cli", "embed", data, "--engine", "ray", "-j", "1"],
        env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    journal = data.parent / "train.moderate/pixels-float32-float32.partial/journal.jsonl"
    while process.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 1):
        time.sleep(0.01)
    started = children(process.pid)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:  # as `kill` does; were the cluster told, too, Ray would at times end the command first
        os.kill(process.pid, number)
    last = process.communicate()[1].splitlines()[-1]
    assert last.startswith("moderate: interrupted; ")
    assert process.returncode == -number
    assert started
    deadline = time.monotonic() + 60
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in started if alive(child)]
    assert shell("moderate embed data/train").status == 0
    assert sorted(os.listdir(data.parent / "train.moderate")) == [
        "moderate.lock",
        "pixels-float32-float32",
    ]


def children(parent):
    """Process numbers of all that a process has started, and what they have."""
    found = []
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            for child in map(int, tasks.read_text().split()):
                found += [child, *children(child)]
    return found


def alive(number):
    try:
        return b"ray" in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return False


def test_the_limit_of_pixels_holds_on_a_cluster(data, nodes):
    Image.new("RGB", (8, 8)).save(data / "cat" / "0.png")
    store = pixels(data, nodes, max_pixels=80)  # the others have 81
    assert sorted(store.unreadable) == list(range(1, 8))
    assert store.manifest.max_pixels == 80
    assert len(pixels(data, nodes).unreadable) == 0
