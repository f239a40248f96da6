/* C = start + A B: the first factor from anywhere, the second packed in panels, the result column by column. */

/* Add a column's sums to their start, or to what is there. */
static void finish(const result *c, long column, long row, const float *sums, long rows, int is_first)
{
    float *at = c->data + column * c->leading + row;
    int reads = !is_first || (!c->bias && c->keeps);
    float start = c->bias ? c->bias[column] : 0;
    long i = 0;
    for (; i + LANES <= rows; i += LANES)
        STORE(at + i, ADD(reads ? LOAD(at + i) : SPREAD(start), LOAD(sums + i)));
    for (; i < rows; i++)
        at[i] = (reads ? at[i] : start) + sums[i];
}

/* One block of k of the packed columns: the first panel wanted, and how far apart panels are. */
typedef struct {
    const float *first;
    long distance;
} packed_columns;

/* Panels `panel` to `panel_end` of n columns. */
static void multiply_block(const packed_rows *rows, packed_columns columns, const result *c, long panel,
                           long panel_end, long n, int is_first)
{
    panel_sums sums;
    for (long p = panel; p < panel_end; p++) {
        const float *b = columns.first + (p - panel) * columns.distance;
        long count = n - p * PANEL < PANEL ? n - p * PANEL : PANEL;
        upcoming soon = {p + 1 < panel_end ? b + columns.distance : 0, c->data + p * PANEL * c->leading + rows->row,
                         c->leading};
        sum_panel(rows, b, count, &soon, &sums);
        for (long j = 0; j < count; j++)
            finish(c, p * PANEL + j, rows->row, sums.floats[j] + SLACK, rows->row_end - rows->row, is_first);
    }
}

/* Rows to take at once so that pieces of nearly equal size fill the region. */
static long even_share(long rows)
{
    long pieces = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    return pieces < 2 ? ROWS_AT_ONCE : ((rows + pieces - 1) / pieces + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

/* One region of a product of m x n over k. `scratch` has PACKED_FLOATS(BLOCK). */
void NAME(product)(const factor *a, const float *panels, const result *c, const region *part, long m, long n,
                   long k_all, float *scratch)
{
    long share = even_share(part->row_end - part->row);
    for (long row = part->row; row < part->row_end; row += share)
        for (long k = 0, block; k < k_all; k += block) {
            packed_rows rows;
            packed_columns columns = {panels + (part->panel * k_all + k) * PANEL, k_all * PANEL};
            block = next_block(k_all - k);
            pack_rows(a, m, row, row + share < part->row_end ? row + share : part->row_end, k, k + block, scratch,
                      &rows);
            multiply_block(&rows, columns, c, part->panel, part->panel_end, n, k == 0);
        }
}

/* Panels `panel` to `panel_end` of x x^T for x of (channels, positions): both factors are packed block by block,
 * since there are many positions. `scratch` has PACKED_FLOATS(BLOCK) and all columns wanted, BLOCK of k each. */
void NAME(gram)(const float *x, long channels, long positions, float *out, long panel, long panel_end, float *scratch)
{
    factor source = {TRANSPOSED, x, positions, {0}};
    result c = {out, channels, 0, 0};
    float *panels = scratch + PACKED_FLOATS(BLOCK);
    long share = even_share(channels);
    for (long k = 0, block; k < positions; k += block) {
        block = next_block(positions - k);
        for (long p = panel; p < panel_end; p++) {
            long count = channels - p * PANEL < PANEL ? channels - p * PANEL : PANEL;
            pack_transposed(&source, p * PANEL, (int)count, PANEL, k, k + block, panels + (p - panel) * block * PANEL);
        }
        for (long row = 0; row < channels; row += share) {
            packed_rows rows;
            packed_columns columns = {panels, block * PANEL};
            pack_rows(&source, channels, row, row + share < channels ? row + share : channels, k, k + block, scratch,
                      &rows);
            multiply_block(&rows, columns, &c, panel, panel_end, channels, k == 0);
        }
    }
}
