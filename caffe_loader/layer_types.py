"""The type numbers of V1 files and Caffe's current names for them."""

from __future__ import annotations

from caffe_loader.caffe_pb2 import V1LayerParameter

_CURRENT_NAMES = {
    "ACCURACY": "Accuracy",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DROPOUT": "Dropout",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "POOLING": "Pooling",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "WINDOW_DATA": "WindowData",
    "ELTWISE": "Eltwise",
    "POWER": "Power",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "HINGE_LOSS": "HingeLoss",
    "MEMORY_DATA": "MemoryData",
    "ARGMAX": "ArgMax",
    "THRESHOLD": "Threshold",
    "DUMMY_DATA": "DummyData",
    "SLICE": "Slice",
    "MVN": "MVN",
    "ABSVAL": "AbsVal",
    "SILENCE": "Silence",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "EXP": "Exp",
    "DECONVOLUTION": "Deconvolution",
}
_NAMES = {V1LayerParameter.LayerType.Value(name): current for name, current in _CURRENT_NAMES.items()}


def v1_type_name(number: int) -> str:
    """The current name of V1 layer type ``number``, such as "Convolution" for 4. "V1:N" if N has no name."""
    return _NAMES.get(number, f"V1:{number}")


def is_v1_type(number: int) -> bool:
    """Whether ``number`` is a V1 layer type. loadcaffe treats any other number as 0, the type "none"."""
    return number in _NAMES
