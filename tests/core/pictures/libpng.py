"""This machine's libpng as a referee, with its defaults, as torch/image called it."""

import ctypes
import ctypes.util

WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t)
FLUSH = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
RGB = 2


def library():
    """libpng 1.6 with every function declared, or None."""
    name = ctypes.util.find_library("png16") or ctypes.util.find_library("png")
    if name is None:
        return None
    png = ctypes.CDLL(name)
    png.png_get_libpng_ver.restype = ctypes.c_char_p
    if not png.png_get_libpng_ver(None).startswith(b"1.6."):
        return None
    png.png_create_write_struct.restype = png.png_create_info_struct.restype = ctypes.c_void_p
    png.png_create_write_struct.argtypes = [ctypes.c_char_p, *[ctypes.c_void_p] * 3]
    png.png_create_info_struct.argtypes = [ctypes.c_void_p]
    png.png_set_write_fn.argtypes = [ctypes.c_void_p, ctypes.c_void_p, WRITE, FLUSH]
    png.png_set_IHDR.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_uint32] * 2 + [ctypes.c_int] * 5
    png.png_write_info.argtypes = png.png_write_end.argtypes = [ctypes.c_void_p] * 2
    png.png_write_row.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    png.png_destroy_write_struct.argtypes = [ctypes.POINTER(ctypes.c_void_p)] * 2
    return png


def encode(png, pixels):
    """The file of (H, W, 3) bytes."""
    written = bytearray()
    write = WRITE(lambda _, data, size: written.extend(ctypes.string_at(data, size)))
    flush = FLUSH(lambda _: None)
    file = ctypes.c_void_p(png.png_create_write_struct(png.png_get_libpng_ver(None), None, None, None))
    info = ctypes.c_void_p(png.png_create_info_struct(file))
    png.png_set_write_fn(file, None, write, flush)
    height, width = pixels.shape[:2]
    png.png_set_IHDR(file, info, width, height, 8, RGB, 0, 0, 0)
    png.png_write_info(file, info)
    for row in pixels:
        png.png_write_row(file, row.tobytes())
    png.png_write_end(file, info)
    png.png_destroy_write_struct(ctypes.byref(file), ctypes.byref(info))
    return bytes(written)
