"""The rounding order of the reference runs' products, written from its description: slow, k after k."""

import numpy as np

BLOCK, GROUP, PANEL = 320, 8, 12


def fma(a, b, c):
    """``a b + c`` with one rounding to float32.

    The product of two float32 is exact in float64. The sum is rounded to odd there (its last bit set wherever
    it is not exact), so that the second rounding, to float32, is that of the exact value.
    """
    product = np.float64(a) * np.float64(b)
    c = np.float64(c)
    total = np.asarray(product + c)
    rest = total - product
    error = (product - (total - rest)) + (c - rest)  # Knuth's two-sum: exact
    is_even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & is_even, odd, total).astype(np.float32)


def blocks(size):
    """(start, end) of the blocks of k or of rows."""
    start, found = 0, []
    while start < size:
        left = size - start
        length = BLOCK if left >= 2 * BLOCK else -(-(left // 2) // 8) * 8 if left > BLOCK else left
        found.append((start, start + length))
        start += length
    return found


def split_elements(m, n):
    """Boolean (m, n): which elements keep two chains."""
    split, whole_columns = np.zeros((m, n), bool), n // PANEL * PANEL
    for number, (start, end) in enumerate(blocks(m)):
        height = end - start
        steps = height // GROUP
        for column in range(0, whole_columns, PANEL):
            if height >= 2 * GROUP:
                split[start : start + GROUP, column : column + 6] = True
                last = start + (steps - 1) * GROUP
                half = column if steps % 2 == 0 else column + 6
                split[last : last + GROUP, half : half + 6] = True
        column = whole_columns
        if number > 0 and n - column >= 8:
            column += 8
        while n - column >= 4:
            split[start : start + steps * GROUP, column : column + 4] = True
            column += 4
    return split


def product(a, b, start):
    """``start + a b`` for a (m, k), b (k, n) and start (m, n)."""
    result = np.array(start, np.float32)
    split = split_elements(*result.shape)
    for first, end in blocks(a.shape[1]):
        even, odd = np.zeros_like(result), np.zeros_like(result)
        eights = (end - first) // 8 * 8
        for k in range(first, end):
            row, column = a[:, k, None], b[None, k]
            takes_odd = split if (k - first) % 2 and k - first < eights else False
            even, odd = (
                np.where(takes_odd, even, fma(row, column, even)),
                np.where(takes_odd, fma(row, column, odd), odd),
            )
        result += np.where(split, even + odd, even)
    return result


def dot(x, y):
    """sdot: 32 chains, folded, and the rest in double precision."""
    whole = len(x) // 32 * 32
    lanes = np.zeros(32, np.float32)
    for i in range(0, whole, 32):
        lanes = fma(x[i : i + 32], y[i : i + 32], lanes)
    eights = lanes.reshape(4, 8)
    fours = eights[:, :4] + eights[:, 4:]
    four = (fours[0] + fours[1]) + (fours[2] + fours[3])
    tail = 0.0
    for i in range(whole, len(x)):
        tail += float(x[i] * y[i])
    return float(np.float32(tail + float((four[0] + four[1]) + (four[2] + four[3]))))


def axpy(alpha, x, y):
    """saxpy: fused for whole 32, two roundings behind them."""
    alpha, whole = np.float32(alpha), len(x) // 32 * 32
    return np.concatenate([fma(alpha, x[:whole], y[:whole]), y[whole:] + alpha * x[whole:]])


def unfold(x, window):
    """(nIn kh kw, H' W'): the pixels under every tap, zero beside the picture."""
    (kh, kw), (sh, sw), (ph, pw) = window.kernel, window.stride, window.padding
    height, width = window.output_size(*x.shape[1:])
    padded = np.pad(x, ((0, 0), (ph, ph + kh), (pw, pw + kw)))
    taps = [
        padded[c, ky : ky + sh * height : sh, kx : kx + sw * width : sw][:height, :width].ravel()
        for c, ky, kx in np.ndindex(len(x), kh, kw)
    ]
    return np.array(taps, np.float32)


def convolve(x, weight, bias, window):
    """(nOut, H', W'): one product onto the bias."""
    size = window.output_size(*x.shape[1:])
    columns = unfold(x, window)
    start = np.repeat(bias[None], columns.shape[1], 0)
    return product(columns.T, weight.reshape(len(weight), -1).T, start).T.reshape(-1, *size)


def convolve_backward(grad, weight, window, shape):
    """(nIn, H, W): columns, then added tap by tap, kernel rows outside."""
    (kh, kw), (sh, sw), (ph, pw) = window.kernel, window.stride, window.padding
    flat = grad.reshape(len(grad), -1)
    matrix = weight.reshape(len(weight), -1)
    columns = product(flat.T, matrix, np.zeros((flat.shape[1], matrix.shape[1]), np.float32)).T
    columns = columns.reshape(shape[0], kh, kw, *grad.shape[1:])
    image = np.zeros(shape, np.float32)
    for c, ky, kx, y, x in np.ndindex(*columns.shape):
        row, column = y * sh + ky - ph, x * sw + kx - pw
        if 0 <= row < shape[1] and 0 <= column < shape[2]:
            image[c, row, column] += columns[c, ky, kx, y, x]
    return image
