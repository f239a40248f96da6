/* The gradient of a convolution at its input: columns = grad weights, added to the picture tap by tap.
 *
 * Every pixel has to receive its taps in Torch7's order, kernel rows outside, kernel columns inside. A later tap
 * comes from an earlier output position, so blocks of positions are taken from the last to the first, and within
 * each the columns in ascending order. Adding +0 changes nothing: the sums begin at +0 and never become -0.
 */

typedef struct {
    const windows *window;
    long top, bottom;               /* the picture rows that this call may write */
    int linear;
    float *picture;
} target;

/* One panel's columns over a block of positions, with zeros on both sides. */
typedef struct {
    long row, rows;
    panel_sums columns;
} block_columns;

/* Add one column to the picture, run by run. */
static void add_runs(const target *to, const run *runs, int count, tap at, const float *column)
{
    const windows *w = to->window;
    float *plane = to->picture + at.channel * w->height * w->width;
    for (int i = 0; i < count; i++) {
        long y = runs[i].y * w->stride_y + at.ky - w->padding_y;
        long x = runs[i].x * w->stride_x + at.kx - w->padding_x;
        const float *from = column + runs[i].lane;
        int lane = 0, end = runs[i].count;
        if (y < to->top || y >= to->bottom)
            continue;
        for (; lane < end && x < 0; lane++)
            x += w->stride_x;
        float *pixels = plane + y * w->width + x;
        if (w->stride_x == 1) {
            end = w->width - x < end - lane ? lane + (int)(w->width - x) : end;
            for (; lane < end; lane++)
                *pixels++ += from[lane];
        } else
            for (; lane < end && x < w->width; lane++, x += w->stride_x, pixels += w->stride_x)
                *pixels += from[lane];
    }
}

/* Add `count` columns of neighbouring taps in one kernel row, the first at `at`, to the shifted picture. */
INLINE void add_shifted(const target *to, long row, long rows, tap at, const int count, const float *column)
{
    const windows *w = to->window;
    long base = row + (at.ky - w->padding_y) * w->width + at.kx - w->padding_x;
    long first = to->top * w->width - base, end = to->bottom * w->width - base;
    float *pixels = to->picture + at.channel * w->height * w->width + base;
    long i = first > 0 ? first : 0;
    end = end < rows + count - 1 ? end : rows + count - 1;
    for (; i + LANES <= end; i += LANES) {
        vec sum = LOAD(pixels + i);
        for (int c = 0; c < count; c++)
            sum = ADD(sum, LOAD(column + c * COLUMN_FLOATS + i - c));
        STORE(pixels + i, sum);
    }
    for (; i < end; i++)
        for (int c = 0; c < count; c++)
            pixels[i] += column[c * COLUMN_FLOATS + i - c];
}

/* Add a panel's columns, the first at tap `at`. */
static void add_panel(const target *to, const block_columns *block, tap at, long columns)
{
    const windows *w = to->window;
    run runs[ROWS_AT_ONCE];
    int count = to->linear ? 0 : cut_into_runs(w->out_width, block->row, block->rows, runs), together = 1;
    for (long c = 0; c < columns; c += together) {
        const float *column = block->columns.floats[c] + SLACK;
        long same_row = w->kernel_width - at.kx < columns - c ? w->kernel_width - at.kx : columns - c;
        together = to->linear && same_row >= 3 ? 3 : 1;
        if (!to->linear)
            add_runs(to, runs, count, at, column);
        else if (together == 3)
            add_shifted(to, block->row, block->rows, at, 3, column);
        else
            add_shifted(to, block->row, block->rows, at, 1, column);
        for (int i = 0; i < together; i++)
            next_tap(w, &at);
    }
}

/* Drop what a tile of the block has beside the picture, and behind the last position. */
static void mask_tile(const target *to, block_columns *block, long t, tap at, long columns, const lane_masks *masks)
{
    long left = block->rows - t * TILE_ROWS;
    for (long c = 0; c < columns; c++, next_tap(to->window, &at)) {
        float *column = block->columns.floats[c] + SLACK + t * TILE_ROWS;
        if (to->linear)
            for (int v = 0; v < TILE_VECTORS; v++)
                STORE(column + v * LANES, AND(LOAD(column + v * LANES), LOAD(masks->floats[at.kx] + v * LANES)));
        if (left < TILE_ROWS)
            clear_floats(column + left, (int)(TILE_ROWS - left));
    }
}

/* All columns from `column` to `column_end` at packed positions. */
static void add_block(const target *to, const packed_rows *rows, const float *panels, long column, long column_end)
{
    enum { TILES = ROWS_AT_ONCE / TILE_ROWS };
    const windows *w = to->window;
    long n = w->channels * w->kernel_height * w->kernel_width, count = rows->row_end - rows->row;
    ALIGNED lane_masks masks[TILES];
    int has_edge[TILES];
    block_columns block;
    memset(&block, 0, sizeof block);
    block.row = rows->row;
    block.rows = count;
    for (long t = 0; to->linear && t * TILE_ROWS < count; t++)
        has_edge[t] = mask_lanes(w, rows->row + t * TILE_ROWS, &masks[t]);
    for (; column < column_end; column += PANEL) {
        const float *b = panels + column * rows->depth;
        long columns = n - column < PANEL ? n - column : PANEL;
        long wanted = column_end - column < columns ? column_end - column : columns;
        tap at = tap_of(w, column);
        upcoming soon = {column + PANEL < column_end ? b + rows->depth * PANEL : 0, 0, 0};
        sum_panel(rows, b, columns, &soon, &block.columns);
        for (long t = 0; t * TILE_ROWS < count; t++)
            if ((to->linear && has_edge[t]) || count - t * TILE_ROWS < TILE_ROWS)
                mask_tile(to, &block, t, at, wanted, &masks[t]);
        add_panel(to, &block, at, wanted);
    }
}

/* The output positions that reach picture rows `top` to `bottom`. */
static void reaching(const windows *w, long top, long bottom, long *row, long *row_end)
{
    long first = top + w->padding_y - w->kernel_height + 1, last = (bottom - 1 + w->padding_y) / w->stride_y;
    first = first > 0 ? (first + w->stride_y - 1) / w->stride_y : 0;
    last = last < w->out_height - 1 ? last : w->out_height - 1;
    *row = first * w->out_width / TILE_ROWS * TILE_ROWS;
    *row_end = (last + 1) * w->out_width;
}

/* The gradient at picture rows `top` to `bottom` of channels `channel` to `channel_end`.
 *
 * channel * taps must be a multiple of PANEL. `rows_at_once` is a multiple of TILE_ROWS, at most ROWS_AT_ONCE;
 * `scratch` has PACKED_FLOATS(n_out).
 */
void NAME(convolve_backward)(const windows *w, const float *grad, long n_out, const float *panels, float *picture,
                             long channel, long channel_end, long top, long bottom, long rows_at_once, float *scratch)
{
    long taps = w->kernel_height * w->kernel_width, m = w->out_height * w->out_width, first, end;
    factor source = {MATRIX, grad, m, {0}};
    target to = {w, top, bottom, is_linear(w), picture};
    for (long c = channel; c < channel_end; c++)
        memset(picture + (c * w->height + top) * w->width, 0, (size_t)((bottom - top) * w->width) * sizeof(float));
    reaching(w, top, bottom, &first, &end);
    for (long row, row_end = end; row_end > first; row_end = row) {
        packed_rows rows;
        row = first + (row_end - first - 1) / rows_at_once * rows_at_once;
        pack_rows(&source, m, row, row_end, 0, n_out, scratch, &rows);
        add_block(&to, &rows, panels, channel * taps, channel_end * taps);
    }
}
