/* The pixels under every tap of a window, side by side for the output positions of a tile. */

/* Positions in one row of a convolution's output. */
typedef struct {
    long y, x;              /* of the first */
    int lane, count;        /* the first one's place in the tile or block */
} run;

static int cut_into_runs(long width, long row, long rows, run *runs)
{
    int count = 0;
    long y = row / width, x = row % width;
    for (int lane = 0; lane < rows; count++, y++, x = 0) {
        int length = width - x < rows - lane ? (int)(width - x) : (int)(rows - lane);
        runs[count] = (run){y, x, lane, length};
        lane += length;
    }
    return count;
}

/* For every column of the window the lanes of a tile whose pixel is inside its row. */
enum { MASKED_COLUMNS = 16 };
typedef union {
    int bits[MASKED_COLUMNS][TILE_ROWS];
    float floats[MASKED_COLUMNS][TILE_ROWS];
} lane_masks;

/* Whether any is not. */
static int mask_lanes(const windows *w, long row, lane_masks *masks)
{
    int all = -1;
    int xs[TILE_ROWS], out_width = (int)w->out_width, x = (int)(row % w->out_width);
    unsigned width = (unsigned)w->width;
    for (int i = 0; i < TILE_ROWS; i++) {
        xs[i] = x - (int)w->padding_x;
        x = x + 1 == out_width ? 0 : x + 1;
    }
    for (int kx = 0; kx < (int)w->kernel_width; kx++)
        for (int i = 0; i < TILE_ROWS; i++)
            all &= masks->bits[kx][i] = (unsigned)(xs[i] + kx) < width ? -1 : 0;
    return !all;
}

/* Whether outputs lie where inputs do, so that a tap's pixels are one piece of the picture, shifted. */
static int is_linear(const windows *w)
{
    return w->stride_y == 1 && w->stride_x == 1 && w->out_width == w->width && w->kernel_width <= MASKED_COLUMNS;
}

INLINE void copy_floats(float *to, const float *from, int count)
{
    if (count == TILE_ROWS) {
        UNROLL
        for (int v = 0; v < TILE_VECTORS; v++)
            STORE(to + v * LANES, LOAD(from + v * LANES));
    } else if (count >= LANES) {
        vec last = LOAD(from + count - LANES);
        for (int i = 0; i + LANES <= count; i += LANES)
            STORE(to + i, LOAD(from + i));
        STORE(to + count - LANES, last);
    } else
        for (int i = 0; i < count; i++)
            to[i] = from[i];
}

INLINE void clear_floats(float *to, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = 0;
}

/* The pixels of one picture row under one tap, for the outputs of a run; zero beside the picture. */
INLINE void copy_run(float *to, const float *pixels, long x, long stride, long width, int count)
{
    if (stride != 1) {
        for (int i = 0; i < count; i++, x += stride)
            to[i] = x >= 0 && x < width ? pixels[x] : 0;
        return;
    }
    if (x >= 0 && x + count <= width) {
        copy_floats(to, pixels + x, count);
        return;
    }
    int before = x < 0 ? (-x < count ? (int)-x : count) : 0;
    int end = width - x < count ? (width - x > before ? (int)(width - x) : before) : count;
    clear_floats(to, before);
    copy_floats(to + before, pixels + x + before, end - before);
    clear_floats(to + end, count - end);
}

/* A tap of the window, and its channel's plane. */
typedef struct {
    long ky, kx, channel;
} tap;

static tap tap_of(const windows *w, long k)
{
    long taps = w->kernel_height * w->kernel_width;
    return (tap){k % taps / w->kernel_width, k % w->kernel_width, k / taps};
}

INLINE void next_tap(const windows *w, tap *at)
{
    if (++at->kx < w->kernel_width)
        return;
    at->kx = 0;
    if (++at->ky < w->kernel_height)
        return;
    at->ky = 0;
    at->channel++;
}

/* Any window, run by run: the taps from `at` on, `count` of them. */
static void pack_runs(const factor *source, long row, int rows, tap at, long count, float *packed)
{
    const windows *w = &source->window;
    run runs[TILE_ROWS];
    int run_count = cut_into_runs(w->out_width, row, rows, runs);
    for (; count > 0; count--, packed += TILE_ROWS, next_tap(w, &at)) {
        const float *plane = source->data + at.channel * w->height * w->width;
        for (int i = 0; i < run_count; i++) {
            long y = runs[i].y * w->stride_y + at.ky - w->padding_y;
            long x = runs[i].x * w->stride_x + at.kx - w->padding_x;
            if (y < 0 || y >= w->height)
                clear_floats(packed + runs[i].lane, runs[i].count);
            else
                copy_run(packed + runs[i].lane, plane + y * w->width, x, w->stride_x, w->width, runs[i].count);
        }
        clear_floats(packed + rows, TILE_ROWS - rows);
    }
}

/* A linear window, of which all pixels are in the picture or, where there are masks, beside it in a row. */
INLINE void pack_shifted(const factor *source, long row, const lane_masks *masks, tap at, long count, float *packed)
{
    const windows *w = &source->window;
    const float *from = source->data + row + (at.channel * w->height + at.ky - w->padding_y) * w->width +
                        at.kx - w->padding_x;
    for (; count > 0; count--, packed += TILE_ROWS) {
        UNROLL
        for (int v = 0; v < TILE_VECTORS; v++)
            STORE(packed + v * LANES, masks ? AND(LOAD(from + v * LANES), LOAD(masks->floats[at.kx] + v * LANES))
                                            : LOAD(from + v * LANES));
        from++;
        if (++at.kx == w->kernel_width) {
            at.kx = 0;
            from += w->width - w->kernel_width;
        }
    }
}

/* All tiles of a block of rows, channel after channel, so that memory is read in order. */
static void pack_windows(const factor *source, long row, long row_end, long k, long k_end, float *packed)
{
    enum { TILES = ROWS_AT_ONCE / TILE_ROWS };
    const windows *w = &source->window;
    long before = w->padding_y * w->width + w->padding_x, size = w->height * w->width, depth = k_end - k;
    long behind = (w->kernel_height - 1 - w->padding_y) * w->width + w->kernel_width - 1 - w->padding_x;
    ALIGNED lane_masks masks[TILES];
    int is_shifted[TILES], has_edge[TILES];
    for (long first = row, t = 0; first < row_end; first += TILE_ROWS, t++) {
        is_shifted[t] = is_linear(w) && first + TILE_ROWS <= row_end && first >= before &&
                        first + TILE_ROWS + behind <= size;
        if (is_shifted[t])
            has_edge[t] = mask_lanes(w, first, &masks[t]);
    }
    for (long taps = w->kernel_height * w->kernel_width, count; k < k_end; k += count, packed += count * TILE_ROWS) {
        tap at = tap_of(w, k);
        count = taps - k % taps < k_end - k ? taps - k % taps : k_end - k;
        for (long first = row, t = 0; first < row_end; first += TILE_ROWS, t++) {
            int rows = row_end - first < TILE_ROWS ? (int)(row_end - first) : TILE_ROWS;
            float *to = packed + t * TILE_ROWS * depth;
            if (!is_shifted[t])
                pack_runs(source, first, rows, at, count, to);
            else if (has_edge[t])
                pack_shifted(source, first, &masks[t], at, count, to);
            else
                pack_shifted(source, first, 0, at, count, to);
        }
    }
}
