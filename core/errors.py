"""The project's errors: each is one line for the person at the terminal.

    NeuralStyleError        the family the command line catches
    |-- SettingsError       a flag, a YAML key or a combination of them
    |-- ImageError          a picture that cannot be read or written
    |-- NetworkError        a model that cannot carry the requested losses
    |-- RegistryError       a model file that cannot be found, fetched or verified
    |-- T7Error             a Torch7 file that is damaged, foreign or of an unknown kind
    |-- TransformError      a transform network that cannot be read, converted or run on this picture
    |-- DatasetError        pictures or an HDF5 file to train with that cannot be read or written
    |-- VideoError          a film or camera that cannot be read or written
    |-- CheckpointError     the saved state of a run that is damaged, or of another run
    |-- DeviceError         a device or a splitting of the network over devices
    `-- DivergenceError     a loss that became NaN or infinite

A message names the file or flag, says what is wrong and what to do.
"""


class NeuralStyleError(Exception):
    """Anything a user can mend; the message is complete without a traceback."""


class SettingsError(NeuralStyleError):
    """A flag or YAML key has an unknown name, a wrong type or an impossible value."""


class ImageError(NeuralStyleError):
    """A picture cannot be read, understood or written."""


class NetworkError(NeuralStyleError):
    """The model has no such layers, or cannot be run on this picture."""


class RegistryError(NeuralStyleError):
    """A model is unknown, could not be fetched, or is not the file it should be."""


class T7Error(NeuralStyleError):
    """A .t7 file is damaged, is something else, or holds what we cannot use."""


class TransformError(NeuralStyleError):
    """A transform network cannot be built, converted or run as asked."""


class DatasetError(NeuralStyleError):
    """Pictures to train with, or the HDF5 file of them, cannot be read, understood or written."""


class VideoError(NeuralStyleError):
    """A film, an image sequence or a camera cannot be read or written."""


class CheckpointError(NeuralStyleError):
    """The saved state of a run is damaged, belongs to another run, or cannot be written."""


class DeviceError(NeuralStyleError):
    """A device is absent, or the network cannot be divided as asked."""


class DivergenceError(NeuralStyleError):
    """A loss is NaN or infinite; the picture before it is kept."""
