"""The provider in use, and the notices about it."""

import builtins

import numpy as np
import onnxruntime
import pytest

from core.errors import DeviceError, TransformError
from core.transform.onnx import session as onnx_session
from core.transform.onnx.graph import to_onnx
from core.transform.onnx.session import CPU, CUDA, TENSORRT, SessionSettings, open_session, providers
from core.transform.pixels import FORMATS, NetworkFormat
from core.transform.runners import OnnxRunner
from tests.support.transform_models import network


class Session:
    """An onnxruntime.InferenceSession that uses the providers ``used``."""

    used = CPU
    asked = None

    def __init__(self, model, options, providers):
        Session.asked, Session.options = providers, options

    def get_providers(self):
        return [Session.used, CPU]


@pytest.fixture
def runtime(monkeypatch):
    """A runtime whose sessions use the given provider."""
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)

    def opened(used, **settings):
        Session.used = used
        return open_session(b"", SessionSettings(**settings))

    return opened


def test_order_and_options_of_providers():
    assert providers(SessionSettings()) == [(CPU, {})]
    (cuda, options), cpu = providers(SessionSettings(gpu=1))
    assert (cuda, cpu) == (CUDA, (CPU, {}))
    assert options == {
        "device_id": "1",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }
    names = [name for name, _ in providers(SessionSettings(gpu=0, tensorrt=True))]
    assert names == [TENSORRT, CUDA, CPU]
    changed = providers(SessionSettings(gpu=0, tf32=True, search_exhaustively=True))[0][1]
    assert (changed["use_tf32"], changed["cudnn_conv_algo_search"]) == ("1", "EXHAUSTIVE")


def test_a_session_on_the_cpu(runtime):
    opened = runtime(CPU, threads=3)
    assert (opened.provider, opened.notices, opened.version) == (CPU, (), onnxruntime.__version__)
    assert Session.options.intra_op_num_threads == 3
    assert Session.options.enable_cpu_mem_arena is False


def test_a_gpu_that_is_used(runtime):
    assert runtime(CUDA, gpu=0, require_gpu=True).notices == ()
    assert runtime(TENSORRT, gpu=0, tensorrt=True).notices == ()


def test_fallback_is_told_loudly_or_refused(runtime):
    (notice,) = runtime(CPU, gpu=0).notices
    assert notice.startswith("NOT ON THE GPU. -gpu 0: ONNX Runtime does not use a GPU here; it needs")
    assert notice.endswith("Running on the CPU")
    with pytest.raises(DeviceError, match="stopped because of -require_gpu 1"):
        runtime(CPU, gpu=0, require_gpu=True)
    with pytest.raises(DeviceError, match="-require_gpu 1 needs -gpu 0"):
        runtime(CPU, require_gpu=True)
    assert runtime(CUDA, gpu=0, tensorrt=True).notices == (
        "-tensorrt 1: TensorRT could not be used; running on CUDA",
    )


def test_without_onnx_runtime(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest):
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        TransformError, match=r"ONNX Runtime is not installed: pip install 'neural-style-exact\[onnx\]'"
    ):
        onnx_session.import_runtime()


def test_a_model_that_the_runtime_refuses():
    with pytest.raises(TransformError, match="ONNX Runtime rejects the model: ") as error:
        open_session(b"no model", SessionSettings())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("gpu", [-1, 0])
def test_io_binding_gives_the_same(gpu, monkeypatch):
    """The path for GPUs, run on the CPU."""
    opened = open_session(to_onnx(network()).SerializeToString(), SessionSettings())
    how = NetworkFormat(FORMATS["vgg"], FORMATS["vgg"])
    runner = OnnxRunner(opened, how)
    batch = np.random.default_rng(0).standard_normal((1, 3, 24, 26)).astype(np.float32)
    wanted = runner.run(batch)
    if gpu == 0:
        runner.provider = CUDA
    assert np.array_equal(runner.run(batch), wanted)


def test_a_picture_that_does_not_fit():
    opened = open_session(to_onnx(network()).SerializeToString(), SessionSettings())
    runner = OnnxRunner(opened, NetworkFormat(FORMATS["vgg"], FORMATS["vgg"]))
    with pytest.raises(TransformError, match="the network cannot run on this picture: "):
        runner.run(np.zeros((1, 2, 24, 24), np.float32))
