"""Memory that is pinned for a GPU, with a stand-in for CUDA."""

import pytest
import torch

from moderate_cli.networks.pinning import pinned


class Cuda:
    """Notes which memory is registered."""

    def __init__(self, status):
        self.status, self.registered, self.calls = status, {}, []

    def cudaHostRegister(self, address, size, flags):
        self.calls.append("register")
        if self.status == 0:
            self.registered[address] = size
        return self.status

    def cudaHostUnregister(self, address):
        self.calls.append("unregister")
        del self.registered[address]


@pytest.fixture
def cuda(monkeypatch, request):
    found = Cuda(getattr(request, "param", 0))
    monkeypatch.setattr(torch.cuda, "cudart", lambda: found)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: found.calls.append("synchronize"))
    return found


def test_memory_is_pinned_until_all_copies_are_done(cuda):
    memory = torch.zeros(50, dtype=torch.uint8)
    with pinned(memory, torch.device("cuda")):
        assert cuda.registered == {memory.data_ptr(): 50}
    assert cuda.calls == ["register", "synchronize", "unregister"]


def test_memory_is_not_pinned_any_more_after_an_error(cuda):
    with pytest.raises(KeyError), pinned(torch.zeros(5), torch.device("cuda")):
        raise KeyError
    assert not cuda.registered


@pytest.mark.parametrize("cuda", [2], indirect=True)
def test_memory_that_the_system_does_not_pin_is_used_as_it_is(cuda, monkeypatch):
    def refused(*_, **__):
        raise RuntimeError("CUDA error: out of memory")  # of the call before

    monkeypatch.setattr(torch, "ones", refused)
    with pinned(torch.zeros(5), torch.device("cuda")):
        pass
    assert cuda.calls == ["register"]


def test_a_processor_needs_no_pinned_memory(cuda):
    with pinned(torch.zeros(5), torch.device("cpu")):
        pass
    assert cuda.calls == []
