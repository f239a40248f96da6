"""Our own products on the CPU, compiled from ``source/`` when the package is installed.

Their rounding order is that of the OpenBLAS kernel which made the reference runs, whatever the processor.
"""
