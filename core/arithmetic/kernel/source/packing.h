/* Rows of the first factor, copied so that a tile reads TILE_ROWS of them for every k, one k after the other. */

static void pack_matrix(const factor *source, long row, long row_end, long k, long k_end, float *packed)
{
    long depth = k_end - k;
    for (; k < k_end; k++, packed += TILE_ROWS) {
        const float *from = source->data + k * source->leading;
        float *to = packed;
        for (long first = row; first < row_end; first += TILE_ROWS, to += TILE_ROWS * depth) {
            int rows = row_end - first < TILE_ROWS ? (int)(row_end - first) : TILE_ROWS;
            copy_floats(to, from + first, rows);
            clear_floats(to + rows, TILE_ROWS - rows);
        }
    }
}

enum { STRIP = 16 };        /* of k, read together where rows lie far apart */

/* `width` rows side by side, of which `rows` exist. */
INLINE void pack_transposed(const factor *source, long row, int rows, const int width, long k, long k_end,
                            float *packed)
{
    for (; k < k_end; k += STRIP, packed += STRIP * width) {
        int strip = k_end - k < STRIP ? (int)(k_end - k) : STRIP;
        for (int r = 0; r < width; r++) {
            const float *from = source->data + (row + r) * source->leading + k;
            for (int i = 0; i < strip; i++)
                packed[i * width + r] = r < rows ? from[i] : 0;
        }
    }
}

enum {
    GROUPS_AT_ONCE = ROWS_AT_ONCE / GROUP,
    SPLIT_AT_ONCE = 8,      /* split groups among them in one half of a panel, at most: blocks are 160 rows or more */
    SPLIT_GROUPS = SPLIT_ROWS / GROUP,
};

/* Up to ROWS_AT_ONCE packed rows; the split groups once more, SPLIT_GROUPS of them side by side. */
typedef struct {
    long row, row_end, depth;
    const float *tiles;
    const float *split[2];                          /* for the left and right halves of panels */
    int split_count[2];
    unsigned char marks[GROUPS_AT_ONCE];
    unsigned char slots[2][GROUPS_AT_ONCE];         /* a split group's place among them */
} packed_rows;

/* Floats of scratch memory for packed rows of this depth. */
#define PACKED_FLOATS(depth) ((ROWS_AT_ONCE + 2 * SPLIT_AT_ONCE * GROUP) * (depth))

static void pack_split_groups(packed_rows *rows, int half, float *to)
{
    long groups = (rows->row_end - rows->row + GROUP - 1) / GROUP;
    int count = 0;
    for (long g = 0; g < groups; g++) {
        if (!(rows->marks[g] & (half ? SPLIT_RIGHT : SPLIT_LEFT)))
            continue;
        const float *from = rows->tiles + g / TILE_GROUPS * TILE_ROWS * rows->depth + g % TILE_GROUPS * GROUP;
        float *at = to + count / SPLIT_GROUPS * SPLIT_ROWS * rows->depth + count % SPLIT_GROUPS * GROUP;
        for (long k = 0; k < rows->depth; k++)
            memcpy(at + k * SPLIT_ROWS, from + k * TILE_ROWS, GROUP * sizeof(float));
        rows->slots[half][g] = (unsigned char)count++;
    }
    for (long k = 0; count % SPLIT_GROUPS && k < rows->depth; k++)   /* the last place is empty */
        clear_floats(to + (count / SPLIT_GROUPS * rows->depth + k) * SPLIT_ROWS + GROUP, SPLIT_ROWS - GROUP);
    rows->split[half] = to;
    rows->split_count[half] = count;
}

/* Pack rows `row` to `row_end` (at most ROWS_AT_ONCE) of the m of a factor, over k to k_end. */
static void pack_rows(const factor *source, long m, long row, long row_end, long k, long k_end, float *scratch,
                      packed_rows *rows)
{
    *rows = (packed_rows){.row = row, .row_end = row_end, .depth = k_end - k, .tiles = scratch};
    if (source->kind == WINDOWS)
        pack_windows(source, row, row_end, k, k_end, scratch);
    else if (source->kind == MATRIX)
        pack_matrix(source, row, row_end, k, k_end, scratch);
    else
        for (long first = row; first < row_end; first += TILE_ROWS) {
            int count = row_end - first < TILE_ROWS ? (int)(row_end - first) : TILE_ROWS;
            pack_transposed(source, first, count, TILE_ROWS, k, k_end, scratch + (first - row) * (k_end - k));
        }
    scratch += ROWS_AT_ONCE * (k_end - k);
    mark_groups(m, rows->row, GROUPS_AT_ONCE, rows->marks);
    for (int half = 0; half < 2; half++) {
        pack_split_groups(rows, half, scratch);
        scratch += SPLIT_AT_ONCE * GROUP * (k_end - k);
    }
}

/* The sums of a panel's split groups, by half and place. */
typedef struct {
    ALIGNED float sums[2][SPLIT_AT_ONCE / SPLIT_GROUPS][HALF_PANEL * SPLIT_ROWS];
} split_sums;

INLINE void add_floats(float *to, const float *more, long count)
{
    for (long i = 0; i < count; i += LANES)
        STORE(to + i, ADD(LOAD(to + i), LOAD(more + i)));
}

/* The split groups of a whole panel, block of k by block of k. */
static void sum_split_groups(const packed_rows *rows, const float *b, split_sums *split)
{
    ALIGNED float part[HALF_PANEL * SPLIT_ROWS];
    for (int half = 0; half < 2; half++)
        for (int i = 0; i * SPLIT_GROUPS < rows->split_count[half]; i++) {
            const float *a = rows->split[half] + i * SPLIT_ROWS * rows->depth;
            float *sums = split->sums[half][i];
            for (long k = 0, block; k < rows->depth; k += block) {
                block = next_block(rows->depth - k);
                split_half_chains(a + k * SPLIT_ROWS, b + half * HALF_PANEL + k * PANEL, block, k ? part : sums);
                if (k > 0)
                    add_floats(sums, part, HALF_PANEL * SPLIT_ROWS);
            }
        }
}

static void place_split_groups(const packed_rows *rows, long first_group, const split_sums *split, float *tile,
                               long distance)
{
    for (long g = first_group; g < first_group + TILE_GROUPS; g++)
        for (int half = 0; half < 2; half++) {
            if (!(rows->marks[g] & (half ? SPLIT_RIGHT : SPLIT_LEFT)))
                continue;
            int slot = rows->slots[half][g];
            const float *from = split->sums[half][slot / SPLIT_GROUPS] + slot % SPLIT_GROUPS * GROUP;
            float *to = tile + half * HALF_PANEL * distance + (g - first_group) * GROUP;
            for (int c = 0; c < HALF_PANEL; c++)
                memcpy(to + c * distance, from + c * SPLIT_ROWS, GROUP * sizeof(float));
        }
}

/* Ask for a part of the panel that comes next, while there is time. */
INLINE void fetch_ahead(const float *panel, long floats, long t, long tiles)
{
    for (long i = floats * t / tiles; i < floats * (t + 1) / tiles; i += 16)
        __builtin_prefetch(panel + i);
}

/* Tile `t` of packed rows and one panel of `columns` columns, summed block of k by block of k. */
static void compute_tile(const packed_rows *rows, long t, const float *b, long columns, const split_sums *split,
                         float *tile, long distance)
{
    const float *a = rows->tiles + t * TILE_ROWS * rows->depth;
    ALIGNED float part[PANEL * TILE_ROWS];
    for (long k = 0, block; k < rows->depth; k += block) {
        float *sums = k ? part : tile;
        long apart = k ? TILE_ROWS : distance;
        block = next_block(rows->depth - k);
        if (columns >= PANEL)
            panel_chains(a + k * TILE_ROWS, b + k * PANEL, block, sums, apart);
        else
            remainder_chains(a + k * TILE_ROWS, b + k * PANEL, block, rows->marks + t * TILE_GROUPS, (int)columns,
                             sums, apart);
        for (long c = 0; k > 0 && c < columns; c++)
            add_floats(tile + c * distance, part + c * TILE_ROWS, TILE_ROWS);
    }
    if (columns >= PANEL)
        place_split_groups(rows, t * TILE_GROUPS, split, tile, distance);
}
