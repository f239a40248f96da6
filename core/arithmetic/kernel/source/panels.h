/* A panel of columns over all packed rows, each element summed block of k by block of k. */

enum { SLACK = MASKED_COLUMNS, COLUMN_FLOATS = ROWS_AT_ONCE + 2 * SLACK };

/* The sums, with room on both sides of a column. */
typedef struct {
    ALIGNED float floats[PANEL][COLUMN_FLOATS];
} panel_sums;

/* What will be read soon: the next panel, and where this one's sums go (none: null). */
typedef struct {
    const float *panel, *target;
    long distance;          /* of the target's columns */
} upcoming;

INLINE void fetch_ahead(const upcoming *soon, long panel_floats, long columns, long t, long tiles)
{
    for (long i = panel_floats * t / tiles; soon->panel && i < panel_floats * (t + 1) / tiles; i += 16)
        __builtin_prefetch(soon->panel + i);
    for (long c = 0; soon->target && c < columns; c++)
        for (int v = 0; v < TILE_VECTORS; v++)
            __builtin_prefetch(soon->target + c * soon->distance + t * TILE_ROWS + v * LANES, 1);
}

INLINE void add_columns(float *to, long distance, const float *more, long columns, int height)
{
    for (long c = 0; c < columns; c++, to += distance, more += TILE_ROWS)
        for (int i = 0; i < height; i += LANES)
            STORE(to + i, ADD(LOAD(to + i), LOAD(more + i)));
}

/* Tile `t` of packed rows. */
static void sum_tile(const packed_rows *rows, long t, const float *b, long columns, float *sums, long distance)
{
    const float *a = rows->tiles + t * TILE_ROWS * rows->depth;
    int is_narrow = (rows->groups - t * TILE_GROUPS) * GROUP <= LANES;
    ALIGNED float part[PANEL * TILE_ROWS];
    for (long k = 0, block; k < rows->depth; k += block, a += block * TILE_ROWS, b += block * PANEL) {
        float *to = k ? part : sums;
        long apart = k ? TILE_ROWS : distance;
        block = next_block(rows->depth - k);
        if (columns < PANEL)
            tile_remainder(a, b, block, rows->marks + t * TILE_GROUPS, (int)columns, to, apart);
        else if (is_narrow)
            narrow_panel_chains(a, b, block, to, apart);
        else
            panel_chains(a, b, block, to, apart);
        if (k > 0)
            add_columns(sums, distance, part, columns, TILE_ROWS);
    }
}

/* Split groups from the i-th on, side by side: all columns of those taken from the tiles, else the split half. */
static void sum_split_groups(const packed_rows *rows, int half, int i, const float *b, long columns, float *sums)
{
    const split_groups *split = &rows->split[half];
    const float *a = split->rows + i * GROUP * rows->depth;
    int left = half * HALF_PANEL, right = HALF_PANEL - left;       /* where the split half begins, and the other */
    ALIGNED float part[PANEL * TILE_ROWS];
    for (long k = 0, block; k < rows->depth; k += block, a += block * SPLIT_ROWS, b += block * PANEL) {
        float *to = k ? part : sums;
        block = next_block(rows->depth - k);
        if (columns < PANEL)
            split_remainder_chains(a, b, block, split->marks + i, (int)columns, to, TILE_ROWS);
        else {
            split_half_chains(a, b + left, block, to + left * TILE_ROWS, TILE_ROWS);
            if (i < split->taken)
                plain_half_chains(a, b + right, block, to + right * TILE_ROWS, TILE_ROWS);
        }
        if (k > 0)
            add_columns(sums, TILE_ROWS, part, columns, SPLIT_ROWS);
    }
}

static void place_group(panel_sums *sums, long group, const float *from, long distance, long column, long column_end)
{
    for (long c = column; c < column_end; c++)
        memcpy(sums->floats[c] + SLACK + group * GROUP, from + c * distance, GROUP * sizeof(float));
}

static void sum_panel(const packed_rows *rows, const float *b, long columns, const upcoming *soon, panel_sums *sums)
{
    long tiles = (rows->groups + TILE_GROUPS - 1) / TILE_GROUPS;
    ALIGNED float apart[PANEL * TILE_ROWS];
    for (long t = 0; t < tiles; t++) {
        fetch_ahead(soon, rows->depth * PANEL, columns, t, tiles);
        sum_tile(rows, t, b, columns, sums->floats[0] + SLACK + t * TILE_ROWS, COLUMN_FLOATS);
    }
    for (int i = 0; i < rows->moves; i++)
        place_group(sums, rows->from[i], sums->floats[0] + SLACK + rows->to[i] * GROUP, COLUMN_FLOATS, 0, columns);
    for (int half = 0; half < 2; half++) {
        const split_groups *split = &rows->split[half];
        for (int i = 0; i < (columns < PANEL ? split->taken : split->count); i++) {
            int is_taken = i < split->taken;
            if (i % SPLIT_GROUPS == 0)
                sum_split_groups(rows, half, i, b, columns, apart);
            place_group(sums, split->group[i], apart + i % SPLIT_GROUPS * GROUP, TILE_ROWS,
                        is_taken ? 0 : half * HALF_PANEL, is_taken ? columns : (half + 1) * HALF_PANEL);
        }
    }
}
