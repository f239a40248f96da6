"""Torch7's arithmetic on an OpenCL device, bit for bit: :mod:`core.arithmetic.opencl.arithmetic` first."""
