"""Paints style_evening.jpg: an evening by the sea in oil, from a seed. Needs NumPy, SciPy and Pillow.

Every brush stroke is a bent band with bristles. It lays down colour and thickness; at the end a lamp from the
upper left shows the relief of the paint. Run: python configs/images/paint_evening.py OUTPUT.jpg
"""

import sys

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

WIDTH, HEIGHT = 1200, 900  # of the canvas; the file has two thirds of it
SUN = np.array([0.69, 0.40])  # in widths from the left, heights from the top
VORTICES = (
    (0.16, 0.15, 0.13, 1.5),
    (0.42, 0.27, 0.10, -1.4),
    (0.94, 0.10, 0.12, 1.2),
    (0.30, 0.02, 0.08, -1.0),
)
GROUND = (0.42, 0.22, 0.14)  # the canvas shows through between strokes


def colours(*codes):
    """Pigments, (N, 3) in 0..1, from hexadecimal R,G,B."""
    return np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes]) / 255


HALO = [  # from the sun outwards
    colours("fff6c8", "fff0a0", "fdf3d8"),
    colours("ffd94a", "ffe77a", "f9c22e"),
    colours("f9a11b", "ffc93c", "f58a1f", "f7dd72"),
    colours("f0642f", "f78f3b", "e2532f", "fbb45c"),
    colours("e2566b", "c95b8c", "f08a6c", "8a78b8"),
]
SKY = [  # from the horizon upwards
    colours("69b9b0", "8fd0be", "4a98a8", "f0a070", "b9dcc4"),
    colours("2f7fa8", "4fa3bf", "1f5f96", "86c5cc", "7d6fb0"),
    colours("1d4a8e", "2a66b0", "163a78", "4f8fc4", "3a2f7c"),
    colours("14285e", "1c3a80", "0f1c48", "34559c", "432a72"),
]
CLOUD = colours("f7d9c0", "f2b5a0", "fbe9d2", "e58fa0", "d8c4dc")
HILLS = [
    colours("6a5aa0", "8468b0", "50508f", "b070a0"),
    colours("3d4a86", "5a4c90", "2c3a6e", "7a5a98"),
    colours("1f3f5e", "2a5470", "18304c", "46608a"),
]
SEA = colours("0f4f6e", "17708a", "0c3a58", "2c93a0", "58b4b0", "24305e")
GLITTER = colours("ffd160", "ff9f43", "fff0b0", "f27438")
FIELD = colours("5c8f2c", "8bb038", "2f6b34", "c9c142", "e2a92c", "1d4a32", "a33a24")
POPPIES = colours("d8201f", "f03c22", "a8122a", "f2602c")
TREES = colours("0c2a28", "123c30", "081c24", "1f5238", "2a3a1c", "16203a")


class Canvas:
    """Colour (H, W, 3) in 0..1 and the thickness of the paint (H, W)."""

    def __init__(self, random):
        self.random = random
        weave = np.sin(np.arange(WIDTH) * 1.3)[None] * np.sin(np.arange(HEIGHT) * 1.3)[:, None]
        self.colour = np.ones((HEIGHT, WIDTH, 3)) * GROUND + 0.03 * weave[..., None]
        self.height = 0.1 * weave

    def stroke(self, x, y, angle, bend, length, width, paint, second, body=1.0):
        """A band of half length and half width in pixels; ``bend``: its curvature; two pigments."""
        reach = int(np.hypot(length, width) + abs(bend) * length**2 / 2) + 3
        left, top = max(0, int(x) - reach), max(0, int(y) - reach)
        right, bottom = min(WIDTH, int(x) + reach), min(HEIGHT, int(y) + reach)
        if right - left < 2 or bottom - top < 2:
            return
        dx, dy = np.arange(left, right)[None] - x, np.arange(top, bottom)[:, None] - y
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / length
        across = (-dx * np.sin(angle) + dy * np.cos(angle) - bend * (along * length) ** 2 / 2) / width
        bristles = self.bristles()
        index = np.clip((across + 1) * 31.5, 0, 63).astype(int)
        hairs = bristles[index]
        taper = 1 - 0.25 * np.clip(along, 0, 1) ** 2
        inside = (np.abs(across) < taper + 0.15 * hairs) & (np.abs(along) < 0.86 + 0.16 * hairs)
        dry = (along > 0.35) & (hairs < -1.2 + 1.1 * along)  # the brush runs out of paint
        covered = gaussian_filter((inside & ~dry).astype(float), 0.6)[..., None]
        mixed = np.clip(0.5 + 0.42 * self.bristles(5)[index] + 0.25 * along, 0, 1)[..., None]
        colour = paint * (1 - mixed) + second * mixed + 0.035 * hairs[..., None]
        box = np.s_[top:bottom, left:right]
        self.colour[box] += (colour - self.colour[box]) * covered * 0.96
        rim = np.clip(np.abs(across), 0, 1) ** 4 + 0.8 * np.clip(along, 0, 1) ** 6
        relief = body * (0.8 + 0.5 * hairs + 0.9 * rim)
        self.height[box] += (relief - 0.55 * self.height[box]) * covered[..., 0]

    def bristles(self, smooth=1.2):
        """How much paint each of 64 hairs across the brush holds."""
        values = gaussian_filter1d(self.random.normal(size=64), smooth, mode="wrap")
        return values / values.std() * 0.6

    def lit(self):
        """The paint in the light of a lamp at the upper left, (H, W, 3) in 0..1."""
        relief = gaussian_filter(self.height, 0.7)
        slope = 0.55 * np.gradient(relief, axis=1) + 0.8 * np.gradient(relief, axis=0)
        light = np.clip(1 + 0.42 * slope, 0.55, 1.3)
        gloss = np.clip(slope - 0.55, 0, 1)[..., None] * 0.35
        return np.clip(self.colour * light[..., None] + gloss, 0, 1)


def hill(number, x):
    """The upper edge of a range of hills."""
    start, peak, where = ((0.53, 0.10, 0.12), (0.56, 0.06, 0.3), (0.585, 0.03, 0.02))[number]
    waves = 0.035 * np.sin(7 * x + 2.2 * number) + 0.018 * np.sin(17 * x + 5 * number)
    return start - peak * np.exp(-(((x - where) / 0.2) ** 2)) + waves * (1 - 0.25 * number)


def shore(x):
    """The upper edge of the field."""
    return 0.80 + 0.05 * np.sin(3.1 * x + 0.6) - 0.10 * np.exp(-(((x - 0.05) / 0.22) ** 2))


def sky_angle(x, y):
    """Of the wind: rings around the sun, vortices, and a breeze elsewhere."""
    vx, vy = 1.0 + 0 * x, 0.25 * np.sin(9 * x + 4 * y)
    dx, dy = (x - SUN[0]) * WIDTH / HEIGHT, y - SUN[1]
    weight = 5 * np.exp(-(dx**2 + dy**2) / 0.33**2)
    distance = np.hypot(dx, dy) + 1e-6
    vx, vy = vx - weight * dy / distance, vy + weight * dx / distance
    for cx, cy, radius, spin in VORTICES:
        dx, dy = (x - cx) * WIDTH / HEIGHT, y - cy
        weight = 3.2 * spin * np.exp(-(dx**2 + dy**2) / radius**2) / radius
        vx, vy = vx - weight * dy, vy + weight * dx
    return np.arctan2(vy, vx)


def sky_paint(random, x, y):
    """The palette at a place of the sky."""
    distance = np.hypot((x - SUN[0]) * WIDTH / HEIGHT, y - SUN[1]) + random.normal(0, 0.016)
    ring = (distance - 0.035) / 0.052
    if ring < len(HALO):
        return HALO[max(0, int(ring))]
    for cx, cy, radius, _ in VORTICES:
        away = np.hypot((x - cx) * WIDTH / HEIGHT, y - cy) / radius
        if abs(away - 0.75 + random.normal(0, 0.12)) < 0.16 or away < 0.16:
            return CLOUD
    level = (0.56 - y) / 0.145 + random.normal(0, 0.28)
    return SKY[int(np.clip(level, 0, 3))]


def two(random, paints):
    """Two pigments of a palette with a little of everything in them."""
    first, second = paints[random.integers(len(paints), size=2)]
    return first + random.normal(0, 0.025, 3), 0.5 * first + 0.5 * second + random.normal(0, 0.03, 3)


def paint_sky(canvas, random):
    """From broad strokes to fine ones."""
    for size, count in ((3.0, 900), (1.6, 3200), (0.95, 5200)):
        for _ in range(count):
            x, y = random.uniform(-0.02, 1.02), random.uniform(-0.02, 0.64)
            angle = sky_angle(x, y)
            step = 12 / WIDTH
            ahead = sky_angle(x + step * np.cos(angle), y + step * np.sin(angle) * WIDTH / HEIGHT)
            bend = np.arctan2(np.sin(ahead - angle), np.cos(ahead - angle)) / 12
            length = random.uniform(15, 27) * size**0.6
            bend = np.clip(bend, -0.9 / length, 0.9 / length)
            width = random.uniform(3.4, 5.6) * size**0.9
            canvas.stroke(
                x * WIDTH, y * HEIGHT, angle + random.normal(0, 0.07), bend, length, width,
                *two(random, sky_paint(random, x, y)), body=0.7 + 0.5 / size,
            )  # fmt: skip


def paint_hills(canvas, random):
    """One range after the other, from the ridge down."""
    for number, paints in enumerate(HILLS):
        for depth in np.sort(random.uniform(0, 1, 800)):
            x = random.uniform(-0.02, 1.02)
            top = hill(number, x)
            y = top + depth * (0.62 - top)
            slope = np.arctan2((hill(number, x + 0.01) - top) * HEIGHT, 0.01 * WIDTH)
            lit = y - top < 0.012 and x < SUN[0] + 0.3
            chosen = colours("f2a07a", "e88a8c", "c078a8") if lit and random.random() < 0.45 else paints
            canvas.stroke(
                x * WIDTH, y * HEIGHT, (1 - depth) * slope + random.normal(0, 0.09), 0, random.uniform(9, 17),
                random.uniform(3, 5), *two(random, chosen),
            )  # fmt: skip


def paint_sea(canvas, random):
    """Waves, and the glitter below the sun."""
    for size, count in ((1.7, 900), (1.0, 2400)):
        for _ in range(count):
            x, y = random.uniform(-0.02, 1.02), random.uniform(0.605, 0.90)
            depth = (y - 0.6) / 0.25
            path = abs(x - SUN[0] + 0.02 * np.sin(40 * y)) < 0.03 + 0.10 * depth
            chance = 0.75 * np.exp(-abs(x - SUN[0]) / 0.05) if path else 0.03
            chosen = GLITTER if random.random() < chance else SEA
            swell = 0.16 * np.sin(22 * x + 60 * y)
            canvas.stroke(
                x * WIDTH, y * HEIGHT, swell + random.normal(0, 0.06), random.normal(0, 0.006),
                random.uniform(9, 17) * size * (0.7 + 0.6 * depth), random.uniform(2.6, 4.2) * size**0.8,
                *two(random, chosen),
            )  # fmt: skip


def paint_field(canvas, random):
    """Grass and poppies, from the shore to the viewer."""
    rows = np.sort(random.uniform(0, 1, 2600))  # from the shore to the viewer
    for depth in rows:
        x = random.uniform(-0.02, 1.02)
        edge = shore(x)
        y = edge + depth * (1.03 - edge)
        angle = -np.pi / 2 + (x - 0.5) * 0.9 + 0.35 * np.sin(9 * x + 5 * y) + random.normal(0, 0.22)
        size = 0.8 + 1.0 * depth
        poppy = random.random() < 0.13 + 0.15 * np.sin(8 * x + 11 * y)
        if poppy:
            canvas.stroke(
                x * WIDTH, y * HEIGHT, random.uniform(0, 6.3), 0.05, random.uniform(5, 7.5) * size,
                random.uniform(4, 6) * size, *two(random, POPPIES), body=1.6,
            )  # fmt: skip
        else:
            canvas.stroke(
                x * WIDTH, y * HEIGHT, angle, random.normal(0, 0.012), random.uniform(11, 20) * size,
                random.uniform(2.4, 4) * size, *two(random, FIELD),
            )  # fmt: skip


def paint_tree(canvas, random, foot, base, height, breadth):
    """A dark tree like a flame; foot, height and breadth in widths and heights of the canvas."""
    for level in np.sort(random.uniform(0, 1, int(1500 * height))):
        wide = breadth * (1 - level) ** 0.7 * (0.35 + 0.65 * min(1, 5 * level + 0.25))
        side = random.uniform(-1, 1)
        x = foot + wide * side + 0.012 * np.sin(9 * level)
        y = base - level * height
        angle = -np.pi / 2 + 0.55 * side + 0.3 * np.sin(14 * level + foot * 30)
        lit = side > 0.35 and random.random() < 0.22
        chosen = colours("b5702c", "7a7a2c", "d89a3c") if lit else TREES
        canvas.stroke(
            x * WIDTH, y * HEIGHT, angle, -0.02 * side, random.uniform(12, 22), random.uniform(2.8, 4.6),
            *two(random, chosen), body=1.2,
        )  # fmt: skip


def painting(seed=7):
    """(H, W, 3) in 0..1."""
    random = np.random.default_rng(seed)
    canvas = Canvas(random)
    paint_sky(canvas, random)
    paint_hills(canvas, random)
    paint_sea(canvas, random)
    paint_field(canvas, random)
    for tree in ((0.155, 0.93, 0.74, 0.045), (0.235, 0.91, 0.50, 0.034), (0.075, 0.95, 0.40, 0.030)):
        paint_tree(canvas, random, *tree)
    return canvas.lit()


if __name__ == "__main__":
    picture = Image.fromarray((painting() * 255 + 0.5).astype(np.uint8))
    picture.resize((WIDTH * 2 // 3, HEIGHT * 2 // 3), Image.Resampling.LANCZOS).save(sys.argv[1], quality=88)
