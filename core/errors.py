"""The project's errors. Each message is one line for the user.

    NeuralStyleError        the base class, which the command line catches
    |-- SettingsError       a wrong flag, YAML key or combination of them
    |-- ImageError          a picture that cannot be read or written
    |-- NetworkError        a model without the requested layers, or that cannot be run
    |-- RegistryError       a model file that cannot be found, fetched or verified
    |-- T7Error             a Torch7 file that is damaged, unsupported or another kind of file
    |-- TransformError      a transform network that cannot be read, converted or run on this picture
    |-- DatasetError        training pictures, or their HDF5 file, that cannot be read or written
    |-- VideoError          a video or camera that cannot be read or written
    |-- CheckpointError     a checkpoint that is damaged or belongs to another run
    |-- DeviceError         a missing device, or a network that cannot be split over the devices
    `-- DivergenceError     a loss that became NaN or infinite

A message names the file or flag, what is wrong and what to do.
"""


class NeuralStyleError(Exception):
    """An error that the user can fix. The message is complete without a traceback."""


class SettingsError(NeuralStyleError):
    """A flag or YAML key has an unknown name, a wrong type or an impossible value."""


class ImageError(NeuralStyleError):
    """A picture cannot be read, decoded or written."""


class NetworkError(NeuralStyleError):
    """The model lacks the requested layers, or cannot be run on this picture."""


class RegistryError(NeuralStyleError):
    """A model is unknown, cannot be fetched, or does not match its registry entry."""


class T7Error(NeuralStyleError):
    """A .t7 file is damaged, is another kind of file, or has unsupported contents."""


class TransformError(NeuralStyleError):
    """A transform network cannot be read, built, converted or run."""


class DatasetError(NeuralStyleError):
    """Training pictures, or their HDF5 file, cannot be read, decoded or written."""


class VideoError(NeuralStyleError):
    """A video, an image sequence or a camera cannot be read or written."""


class CheckpointError(NeuralStyleError):
    """A checkpoint is damaged, belongs to another run, or cannot be written."""


class DeviceError(NeuralStyleError):
    """A device does not exist, or the network cannot be split over the devices as requested."""


class DivergenceError(NeuralStyleError):
    """A loss is NaN or infinite. The last good picture is kept."""
