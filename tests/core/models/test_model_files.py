"""Finding model files, and our prototxt files in vgg_models/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_loader import compare_prototxt, open_caffemodel
from caffe_loader.caffe_pb2 import NetParameter
from core.errors import RegistryError
from core.models import registry
from core.models.registry import MODELS_DIR, find_model_file, find_proto_file, load_registry
from tests.conftest import ROOT

VGG_WIDTHS = [64, 64, 128, 128, 256, 256, 256, 256, *[512] * 8]


def test_model_files_are_found_where_old_scripts_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundled = MODELS_DIR / "vgg19_small.caffemodel"
    assert find_model_file("models/vgg19_small.caffemodel") == bundled
    assert find_proto_file("models/train_val.prototxt") == MODELS_DIR / "train_val.prototxt"
    assert find_proto_file("models/none.prototxt") is None
    Path("vgg19_small.caffemodel").write_bytes(b"mine")
    assert find_model_file("vgg19_small.caffemodel") == Path("vgg19_small.caffemodel")


def test_missing_model_tells_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registry.yaml").write_bytes((MODELS_DIR / "registry.yaml").read_bytes())
    (tmp_path / "VGG_ILSVRC_19_layers.caffemodel.part").write_bytes(b"123")
    monkeypatch.setattr(registry, "MODELS_DIR", tmp_path)
    with pytest.raises(RegistryError) as raised:
        find_model_file("models/VGG_ILSVRC_19_layers.caffemodel")
    assert str(raised.value) == (
        f"models/VGG_ILSVRC_19_layers.caffemodel: no such model file, here or in {tmp_path}; "
        "get it with: nstyle models fetch vgg19 (or: make models), 574,671,192 bytes, "
        "3 bytes of it already downloaded; or add your own copy: nstyle models add FILE; "
        "the addresses are in vgg_models/registry.yaml"
    )
    with pytest.raises(RegistryError, match="get it with: nstyle models fetch nin;"):
        find_model_file("nin_imagenet_conv.caffemodel")
    with pytest.raises(RegistryError, match="it is part of the clone; restore it with: git checkout"):
        find_model_file("vgg19_small.caffemodel")
    for path in ("mine.caffemodel", "", "/", "a\0b"):
        with pytest.raises(RegistryError, match=r"no such model file, .*; the known models are VGG"):
            find_model_file(path)


def test_finding_a_model_imports_nothing_heavy() -> None:
    program = (
        "import sys, core.models.registry; core.models.registry.find_model_file('vgg19_small.caffemodel'); "
        "heavy = {'torch', 'requests', 'scipy', 'numpy', 'google.protobuf'}; print(heavy & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def layers_of(prototxt: str) -> NetParameter:
    net = NetParameter()
    text_format.Parse((MODELS_DIR / prototxt).read_text(), net, allow_unknown_field=True)
    return net


@pytest.mark.parametrize("name", list(load_registry()))
def test_description_has_the_layers_neural_style_uses(name: str) -> None:
    entry = load_registry()[name]
    names = [layer.name for layer in layers_of(entry.proto).layers]
    assert len(set(names)) == len(names)
    assert set(entry.content_layers + entry.style_layers) <= set(names)
    assert sorted(entry.style_layers, key=names.index) == list(entry.style_layers)


def test_small_model_has_the_layers_of_vgg19() -> None:
    with open_caffemodel(MODELS_DIR / "vgg19_small.caffemodel") as model:
        assert compare_prototxt(MODELS_DIR / "vgg19_small_deploy.prototxt", model) == []
        vgg19 = layers_of("VGG_ILSVRC_19_layers_deploy.prototxt").layers
        names = [layer.name for layer in vgg19]
        assert [layer.name for layer in model.layers] == names[: names.index("pool5") + 1]
    convolutions = [layer.convolution_param for layer in vgg19 if layer.HasField("convolution_param")]
    assert [convolution.num_output for convolution in convolutions] == VGG_WIDTHS
    classifier = [layer.inner_product_param for layer in vgg19 if layer.HasField("inner_product_param")]
    assert [layer.num_output for layer in classifier] == [4096, 4096, 1000]


def test_vgg16_lacks_the_fourth_convolutions_of_vgg19() -> None:
    names19 = [layer.name for layer in layers_of("VGG_ILSVRC_19_layers_deploy.prototxt").layers]
    names16 = [layer.name for layer in layers_of("VGG_ILSVRC_16_layers_deploy.prototxt").layers]
    missing = [f"{kind}{block}_4" for block in (3, 4, 5) for kind in ("conv", "relu")]
    assert names16 == [name for name in names19 if name not in missing]


def test_nin_keeps_the_gaps_in_its_numbering() -> None:
    layers = layers_of("train_val.prototxt").layers
    numbers = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12]
    assert [layer.name for layer in layers if layer.name.startswith("relu")] == [f"relu{n}" for n in numbers]
    widths = [layer.convolution_param.num_output for layer in layers if layer.HasField("convolution_param")]
    assert widths == [96, 96, 96, 256, 256, 256, 384, 384, 384, 1024, 1024, 1000]
