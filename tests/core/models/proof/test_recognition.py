"""Which model convolutions are: by checksums, by the copy of eight bits, and by what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import caffe_loader
from core.errors import RegistryError
from core.models import registry
from core.models.formats.weights import Convolution, Convolutions, array_sum
from core.models.proof.comparison import compare_sums, is_rescaled, rounds_to
from core.models.proof.equivalents import published_sha256, stands_for
from core.models.proof.recognition import OtherNetworkError, recognise_layers
from core.models.proof.sums import FILE, bytes_of, load_sums
from core.models.registry import MODELS_DIR
from tests.support import vgg_files as files
from tests.support.vgg_registry import LAST_KNOWN, ORIGINAL, ROUNDED


def test_the_original_is_recognised_and_what_is_not_known_is_said(small_models: Path) -> None:
    found = recognise_layers(ORIGINAL, None)
    assert (found.model, found.exact) == ("vgg19", True)
    assert found.how == (
        f"its convolutions; equal bit for bit up to {LAST_KNOWN} and in all biases, and to 8 bits per weight "
        "from conv4_1 on"
    )


def test_a_published_file_of_another_program_needs_no_such_words(small_models: Path) -> None:
    source = registry.load_sources()["vgg19_keras"]
    assert (
        recognise_layers(ORIGINAL, source).how
        == "its convolutions, equal bit for bit: from weights.h5 as published"
    )


def test_without_the_copy_the_upper_weights_are_said_to_be_unproved(
    small_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_models / "vgg19_8bit.caffemodel").unlink()
    monkeypatch.setattr(registry, "installed_file", lambda: None)
    how = recognise_layers(ORIGINAL, None).how
    assert how.endswith("the weights from conv4_1 on were not checked, because vgg19_8bit is missing")


def test_the_rounded_copy_is_recognised(small_models: Path) -> None:
    found = recognise_layers(ROUNDED, None)
    assert (found.model, found.exact, found.how) == (
        "vgg19_8bit",
        True,
        "its convolutions, equal bit for bit",
    )


@pytest.mark.parametrize("name", ["conv1_1", "conv3_2", LAST_KNOWN])
def test_one_changed_weight_is_found(small_models: Path, name: str) -> None:
    with pytest.raises(OtherNetworkError) as raised:
        recognise_layers(files.changed(ORIGINAL, name), None)
    assert str(raised.value) == f"is not the original: it is vgg19 but for {name} (weights)"
    with pytest.raises(OtherNetworkError) as raised:
        recognise_layers(files.changed(ROUNDED, name), None)
    assert str(raised.value) == f"is not the original: it is vgg19_8bit but for {name} (weights)"


def test_a_changed_bias_and_a_weight_with_another_nearest_value_are_found(small_models: Path) -> None:
    conv5 = ORIGINAL["conv5_1"]
    bias = conv5.bias.copy()
    bias[3] += 1e-6
    weight = conv5.weight.copy()
    weight[0, 0, 0, 0] += 0.5
    for layer, what in (
        (Convolution(conv5.weight, bias), "biases"),
        (Convolution(weight, conv5.bias), "weights"),
        (Convolution(weight, bias), "weights and biases"),
    ):
        with pytest.raises(OtherNetworkError, match=rf"vgg19 but for conv5_1 \({what}\)$"):
            recognise_layers({**ORIGINAL, "conv5_1": layer}, None)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (files.narrow(seed=9), "is another network: none of its 16 convolutions are vgg19's"),
        (files.narrow(width=3), "is another network: none of its 16 convolutions are vgg19's"),
        (
            files.narrow("VGG-16"),
            "has the layers of a VGG, but no weights are known here to compare them with",
        ),
    ],
)
def test_other_networks(small_models: Path, layers: Convolutions, expected: str) -> None:
    with pytest.raises(OtherNetworkError) as raised:
        recognise_layers(layers, None)
    assert str(raised.value) == expected


def test_torchvisions_network_is_named(small_models: Path) -> None:
    source = registry.load_sources()["torchvision_vgg19"]
    with pytest.raises(OtherNetworkError, match="is another network: torchvision's VGG-19"):
        recognise_layers(files.narrow(seed=9), source)


def test_vgg16_is_proved_by_its_published_file(small_models: Path) -> None:
    found = recognise_layers(files.narrow("VGG-16"), registry.load_sources()["vgg16_keras"])
    assert (found.model, found.exact) == ("vgg16", True)


def rescaled(layers: Convolutions, draw: Callable[[int], np.ndarray]) -> Convolutions:
    found, before = {}, np.ones(3)
    for name, layer in layers.items():
        factors = draw(len(layer.bias))
        weight = layer.weight / before[:, None, None] * factors[:, None, None, None]
        found[name] = Convolution(weight.astype(np.float32), (layer.bias * factors).astype(np.float32))
        before = factors
    return found


def test_the_rescaled_network_is_recognised() -> None:
    random = np.random.default_rng(3)
    copy = files.rounded(ORIGINAL, 200)
    normalised = rescaled(ORIGINAL, lambda count: random.uniform(0.01, 3, count))
    assert is_rescaled(normalised, copy)
    assert not is_rescaled(ORIGINAL, copy)
    assert not is_rescaled(files.narrow(seed=9), copy)
    conv4 = normalised["conv4_2"]
    assert not is_rescaled({**normalised, "conv4_2": Convolution(conv4.weight, conv4.bias[::-1])}, copy)
    assert not is_rescaled({**normalised, "conv4_2": Convolution(-conv4.weight, conv4.bias)}, copy)


def test_rounding() -> None:
    values = np.array([-1, 0, 0, 3], np.float32)
    assert rounds_to(np.array([-0.6, -0.4, 1.4, 1.6], np.float32), values)
    assert not rounds_to(np.array([-0.4, -0.4, 1.4, 1.6], np.float32), values)


def test_files_of_the_convolutions_stand_for_the_published_one(small_models: Path, tmp_path: Path) -> None:
    path = files.write_caffe(tmp_path / "any.caffemodel", ORIGINAL)
    found = stands_for(path)
    assert found is not None and found.model == "vgg19"
    assert published_sha256(path) == registry.load_registry()["vgg19"].sha256
    for other in (files.changed(ORIGINAL, "conv2_2"), ROUNDED):
        path = files.write_caffe(tmp_path / "other.caffemodel", other)
        assert stands_for(path) is None and published_sha256(path) is None


def test_the_table_of_checksums_goes_with_the_networks() -> None:
    known = load_sums(MODELS_DIR / FILE)
    assert list(known) == ["vgg19"] and known["vgg19"].keys() == ORIGINAL.keys()
    assert bytes_of(known["vgg19"]) == 80_097_536
    widths = [layer.shape[0] for layer in known["vgg19"].values()]
    assert widths == [64, 64, 128, 128, *[256] * 4, *[512] * 8]


@pytest.mark.parametrize(
    "text", ["[", "a: 1", "a: {b: 1}", "a: {b: {shape: [1], weights: x, bias: null}}", "1"]
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RegistryError, match=r"convolutions\.yaml: not a table of layers, each with shape"):
        load_sums(tmp_path / FILE)


def test_the_real_weights_have_these_checksums(shared: Path) -> None:
    """conv1_1 to conv3_4 of the original, as they came out of its caffemodel."""
    path = shared / "golden" / "neural_style_vgg" / "vgg19_real_lower.caffemodel"
    known = load_sums(MODELS_DIR / FILE)["vgg19"]
    with caffe_loader.open_caffemodel(path) as model:
        real = {
            module.name: Convolution(module.weight_array(), module.bias_array())
            for module in caffe_loader.chain(model).modules
            if isinstance(module, caffe_loader.Convolution) and module.name < "conv4"
        }
        assert list(real) == [name for name in known if name < "conv4"]
        comparison = compare_sums(real, known, None)
    assert comparison.equal and not comparison.unknown and comparison.last_proved == "conv3_4"


def test_sums_are_of_the_bytes_in_caffes_order() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert array_sum(np.asfortranarray(array)) == array_sum(array) == array_sum(array.astype(">f4"))


def test_the_registry_and_its_sources_agree() -> None:
    known, sources = registry.load_registry(), registry.load_sources()
    assert {source.of for source in sources.values()} == {"vgg19", "vgg16", None}
    assert next(one.file for one in sources.values() if one.of == "vgg19").endswith("_notop.h5")
    assert all(one.of is None or one.of in known for one in sources.values())
    assert all(one.has_checksum or one.sha256_begins for one in sources.values())
    content = yaml.safe_load((MODELS_DIR / "sources.yaml").read_text())
    assert len(content["sources"]) == len(sources) == len({one.file for one in sources.values()})
