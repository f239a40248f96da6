"""The parts of a training: optimiser, initial weights, architectures, flags, gradients."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from core.arithmetic.torch7_random import Torch7Random
from core.errors import NetworkError, SettingsError, TransformError
from core.settings.training import TrainSettings
from core.training import events, learner
from core.training.adam import Torch7Adam
from core.training.data.batches import Batch
from core.training.distributed import Group
from core.training.initial_weights import initialise
from core.training.learner import Learner, number_format
from core.training.loss import Encoder
from core.training.network_start import architecture_of, starting_network, with_inherited
from core.training.perceptual_loss import gram_matrices
from core.training.torch7_text import torch7_text
from core.training.training import train
from core.transform.networks.architecture import Architecture, build
from core.transform.pixels import FORMATS
from tests.support.training_data import SMALL, MemoryBatches, pictures
from tests.support.transform_models import network, write_network

CPU = torch.device("cpu")


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_is_that_of_torch7(weight_decay):
    random = np.random.default_rng(3)
    x = random.standard_normal(50)
    weights = nn.Parameter(torch.tensor(x, dtype=torch.float64))
    adam = Torch7Adam([weights], 0.1, weight_decay)
    for rate, steps in ((0.1, 3), (0.05, 2)):
        m = v = np.zeros(50)
        for t in range(1, steps + 1):
            gradient = random.standard_normal(50) * 1e-8  # as small as epsilon, so that its place shows
            weights.grad = torch.tensor(gradient)
            adam.step()
            gradient = gradient + weight_decay * x
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            x = x - rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
            assert np.abs(weights.detach().numpy() - x).max() < 1e-14
        adam.decay(0.5)
    state = adam.state_of_training()
    assert (state.steps, state.learning_rate) == (0, 0.025)


def test_first_weights():
    module = build(Architecture("c3s2-4,u5,c1s1-3", padding_type="zero"))
    initialise(module, Torch7Random(5))
    draws = Torch7Random(5).uniform(4 * 27 + 4 + 4 + 4 * 5 * 9 + 5)
    bound = 1 / math.sqrt(27)
    wanted = (draws[:108] * 2 * bound - bound).astype(np.float32)
    assert np.array_equal(module.conv1.weight.detach().numpy().ravel(), wanted)
    assert np.array_equal(module.norm1.weight.detach().numpy(), draws[112:116].astype(np.float32))
    assert not module.norm1.bias.any()
    bound = 1 / math.sqrt(36)  # of the input planes, for the transposed one too
    wanted = (draws[116:296] * 2 * bound - bound).astype(np.float32)
    assert np.array_equal(module.conv_transpose1.weight.detach().numpy().ravel(), wanted)


@pytest.mark.parametrize("padding_type", ["zero", "reflect", "replicate", "none", "reflect-start"])
@pytest.mark.parametrize("description", ["c9s1-4,d6,C6,R6,u4,c9s1-3", "c3s1-4,f3s1-5,U2,c3s2-3", "c1s1-3"])
@pytest.mark.parametrize("normalisation", ["instance", "batch"])
def test_architecture_of_a_network(padding_type, description, normalisation):
    reflection = 5 if padding_type == "reflect-start" else 0
    description = (
        description.replace("c3s2", "d").replace("d-", "d") if padding_type != "reflect" else description
    )
    if "," not in description:
        normalisation = "instance"  # which a network without any counts as
    wanted = Architecture(description, normalisation, padding_type, 120.0, 1e-4, reflection)
    found = architecture_of(build(wanted), padding_type)
    assert str(build(found)) == str(build(wanted))
    assert found.tv_strength == 1e-4


def test_networks_that_cannot_be_gone_on_with():
    with pytest.raises(TransformError, match=r"is not a network of train\.lua"):
        architecture_of(network()[:-1], "zero")
    odd = network()
    odd.norm2 = nn.Identity()
    with pytest.raises(TransformError, match="-arch cannot describe"):
        architecture_of(odd, "zero")


@pytest.mark.parametrize(
    ("changes", "side", "reflection"),
    [
        ({}, 32, 8),
        ({"padding_type": "zero"}, 32, 0),
        ({"arch": "c3s1-4,R4,R4,R4,R4,c3s1-3"}, 12, 8),  # without padding nothing would be left
        ({"task": "upsample", "arch": "c3s1-4,R4,R4,u4,u4,c3s1-3"}, 16, 4),
    ],
)
def test_reflection_of_the_first_step(changes, side, reflection):
    settings = TrainSettings(arch="c3s1-4,d6,R6,R6,u4,c3s1-3").replace(**changes)
    x = pictures(2, side)
    y = pictures(2, side * 4) if settings.task == "upsample" else x
    architecture, module = starting_network(settings, Batch(x, y))
    assert architecture.reflection == reflection
    assert module(torch.zeros(1, *x.shape[1:])).shape[2:] == y.shape[2:]


def test_pictures_that_do_not_fit():
    x = pictures(1, 32)[:, :, :30, :31]
    with pytest.raises(TransformError, match="the network does not turn pictures of 31x30 into 31x30"):
        starting_network(TrainSettings(arch="d4,u3", padding_type="zero"), Batch(x, x))


def test_resumed_from_our_own_checkpoint(tmp_path):
    path = write_network(
        tmp_path / "net.safetensors", Architecture("c3s1-4,d6,R6,u4,c3s1-3", tv_strength=0.5)
    )
    x = pictures(1)
    settings = with_inherited(TrainSettings(resume_from_checkpoint=str(path)), ())
    architecture, module = starting_network(settings, Batch(x, x))
    assert architecture == Architecture("c3s1-4,d6,R6,u4,c3s1-3", tv_strength=0.5, reflection=4)
    assert torch.equal(module.conv1.weight, network(Architecture("c3s1-4,d6,R6,u4,c3s1-3")).conv1.weight)


def test_printed_network():
    lines = torch7_text(build(Architecture("c9s1-8,d4,R4,U2,u3", normalisation="batch"))).splitlines()
    assert lines[2] == "  (1): nn.SpatialConvolution(3 -> 8, 9x9, 1,1, 4,4)"
    assert lines[3] == "  (2): nn.SpatialBatchNormalization (4D) (8)"
    assert lines[8:14] == [
        "  (7): nn.Sequential {",
        "    [input -> (1) -> (2) -> output]",
        "    (1): nn.ConcatTable {",
        "      input",
        "        |`-> (1): nn.Sequential {",
        "        |      [input -> (1) -> (2) -> (3) -> (4) -> (5) -> output]",
    ]
    assert "  (11): nn.SpatialFullConvolution(4 -> 3, 3x3, 2,2, 1,1, 1,1)" in lines


@pytest.mark.parametrize("preprocessing", ["vgg", "resnet"])
def test_encoder(preprocessing):
    x = pictures(2)
    wanted = np.stack([FORMATS[preprocessing].encode(picture / 255) for picture in x])
    found = Encoder(FORMATS[preprocessing])(torch.from_numpy(x)).numpy()
    assert np.abs(found - wanted).max() <= 2e-7 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel_loss_type": "L3"}, "-pixel_loss_type L3: must be one of L2, L1, SmoothL1"),
        ({"percep_loss_weight": 0.0}, "-percep_loss_weight 0: must be greater than 0 with -task style"),
        ({"task": "upsample"}, "-style_layers: -task upsample has no style image"),
        (
            {"task": "upsample", "style_layers": (), "style_weights": (), "padding_type": "none"},
            "-padding_type none: it crops the result",
        ),
        (
            {"task": "upsample", "style_layers": (), "style_weights": (), "percep_loss_weight": 0.0},
            "are both 0: there is nothing to learn",
        ),
        ({"batch_size": 1.5}, "-batch_size 1.5: must be a whole number"),
        ({"accumulate": 0.0}, "-accumulate 0: must be greater than 0"),
        ({"content_layers": ("9", "9")}, "-content_layers: '9' is named twice"),
        ({"precision": "half"}, "-precision half: must be one of full, mixed"),
        ({"backend": "opencl"}, "-backend opencl: PyTorch has no OpenCL"),
        ({"h5_file": ""}, "-h5_file and -train_dir are both empty"),
    ],
)
def test_flags_that_mean_nothing(changes, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        TrainSettings(**changes).validate()


def test_upsampling_turns_the_default_style_off():
    settings = TrainSettings(task="upsample")
    settings.completed(()).validate()
    with pytest.raises(SettingsError, match="has no style image"):
        settings.completed({"style_layers"}).validate()
    assert TrainSettings().completed(()).style_layers == ("4", "9", "16", "23")


def test_a_layer_that_the_loss_network_has_not():
    settings = SMALL.replace(content_layers=("99",))
    with pytest.raises(NetworkError, match="no layer '99'"):
        next(train(settings, MemoryBatches(pictures(2), pictures(1), 2)))


def learner_of(settings, x):
    first = Batch(x[:1], x[:1])
    return Learner(settings, starting_network(settings, first), CPU, Group())


def gradients(settings, batches):
    learns = learner_of(settings, batches[0].x)
    parts = learns.fit(batches)
    return parts, [parameter.grad.clone() for parameter in learns.start.network.parameters()]


@pytest.mark.parametrize("cuts", [(2,), (1, 3)])
def test_accumulated_gradients_are_those_of_a_larger_batch(cuts):
    settings = SMALL.replace(tv_strength=1e-3, pixel_loss_weight=1e-4)
    x = pictures(4)
    whole, wanted = gradients(settings, [Batch(x, x)])
    parts, found = gradients(settings, [Batch(part, part) for part in np.split(x, cuts)])
    assert parts == pytest.approx(whole, rel=1e-6)
    scale = max(float(gradient.abs().max()) for gradient in wanted)
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).abs().max()) < 1e-5 * scale


def test_total_variation_acts():
    x = pictures(2)
    _, smooth = gradients(SMALL.replace(tv_strength=1.0), [Batch(x, x)])
    _, plain = gradients(SMALL.replace(tv_strength=0.0), [Batch(x, x)])
    assert float((smooth[0] - plain[0]).abs().max()) > 1e-3 * float(plain[0].abs().max())


def test_cropped_targets():
    """With padding type none the losses look at the middle of the pictures."""
    settings = SMALL.replace(padding_type="none", pixel_loss_weight=1.0, style_layers=(), style_weights=())
    x = pictures(2, 48)
    learns = learner_of(settings, x)
    parts = learns.evaluate(Batch(x, x))
    with torch.no_grad():
        y = Encoder(FORMATS["vgg"])(torch.from_numpy(x))
        output = learns.start.network.eval()(y)
    assert output.shape[2] == 32
    assert parts["pixel"] == pytest.approx(float(((output - y[:, :, 8:40, 8:40]) ** 2).mean()), rel=1e-5)


def test_gram_matrices_where_half_precision_overflows():
    features = (torch.randn(1, 8, 64, 64, generator=torch.manual_seed(0)) * 300).half()
    assert not torch.isfinite((features**2).sum(dtype=torch.float16))
    with torch.autocast("cpu", torch.bfloat16):
        found = gram_matrices(features)
    rows = features.double().reshape(1, 8, -1)
    wanted = rows @ rows.transpose(1, 2) / rows[0].numel()
    assert found.dtype == torch.float32
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 5e-6


def test_mixed_precision_learns_the_same():
    assert number_format("mixed", CPU) == torch.bfloat16
    losses = {}
    for precision in ("full", "mixed"):
        settings = SMALL.replace(precision=precision, num_iterations=6.0, tv_strength=1e-4)
        made = list(train(settings, MemoryBatches(pictures(4), pictures(2), 2)))
        losses[precision] = [event.loss for event in made if isinstance(event, events.Step)]
    assert losses["mixed"] != losses["full"]
    assert losses["mixed"] == pytest.approx(losses["full"], rel=0.02)


def test_half_precision_gradients_are_scaled_and_total_variation_with_them(monkeypatch):
    """As on a GPU without bfloat16: the unscaled gradients are those of full precision."""
    x = pictures(4)
    settings = SMALL.replace(tv_strength=1e-6, percep_loss_weight=1e-6)  # both of about the same weight
    batches = [Batch(x[:2], x[:2]), Batch(x[2:], x[2:])]
    _, wanted = gradients(settings, batches)
    monkeypatch.setattr(learner, "number_format", lambda precision, device: torch.float16)
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=128.0))
    _, found = gradients(settings, batches)
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).abs().max()) < 0.02 * max(float(g.abs().max()) for g in wanted)


def test_pictures_too_small_for_a_layer():
    x = pictures(2, 8)
    settings = SMALL.replace(arch="d4,d4,d4,u4,u4,u3", padding_type="zero")
    with pytest.raises(NetworkError, match="cannot train on 2 pictures of 8x8 at once: "):
        list(train(settings, MemoryBatches(x, x, 2)))


@pytest.mark.parametrize("task", ["style", "upsample"])
def test_pixel_loss_alone_and_targets_in_range(task):
    """High-resolution targets are divided by 255 like the inputs; the original does not divide them."""
    settings = SMALL.replace(
        task="upsample",
        style_layers=(),
        style_weights=(),
        percep_loss_weight=0.0 if task == "upsample" else 1.0,
        pixel_loss_weight=1.0,
        arch="c3s1-4,u4,u4,c3s1-3",
        padding_type="zero",
        num_iterations=1.0,
    )
    batches = MemoryBatches(pictures(4, 8), pictures(2, 8), 2, targets=pictures(4, 32))
    _, step, *_ = train(settings, batches)
    assert 0 < step.parts["pixel"] < 150**2 * 4
    assert list(step.parts) == (["pixel"] if task == "upsample" else ["pixel", "content-relu1_2"])
