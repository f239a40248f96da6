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

/* Groups that are split in one half of a panel, packed once more, SPLIT_GROUPS of them side by side. The first
 * `taken` of them are gone from the tiles; of the others, which fill no vector, the tiles' other half counts. */
typedef struct {
    const float *rows;
    int count, taken;
    long group[SPLIT_AT_ONCE];
    unsigned char marks[SPLIT_AT_ONCE];
} split_groups;

/* Up to ROWS_AT_ONCE packed rows. Where a split group was taken away, one from the end has its place. */
typedef struct {
    long row, row_end, depth, groups;               /* groups: in the tiles */
    const float *tiles;
    unsigned char marks[GROUPS_AT_ONCE];
    split_groups split[2];                          /* in the left and right halves of panels */
    int moves;
    long from[2 * SPLIT_AT_ONCE], to[2 * SPLIT_AT_ONCE];
} packed_rows;

/* Floats of scratch memory for packed rows of this depth. */
#define PACKED_FLOATS(depth) ((ROWS_AT_ONCE + 2 * SPLIT_AT_ONCE * GROUP) * (depth))

static long place_of(long group, long depth)
{
    return group / TILE_GROUPS * TILE_ROWS * depth + group % TILE_GROUPS * GROUP;
}

static void copy_group(float *to, long to_height, const float *from, long from_height, long count)
{
    for (; count > 0; count--, to += to_height, from += from_height)
        memcpy(to, from, GROUP * sizeof(float));
}

static void pack_split_groups(packed_rows *rows, int half, float *to)
{
    split_groups *split = &rows->split[half];
    split->rows = to;
    for (long g = 0; g < rows->groups; g++) {
        if (!(rows->marks[g] & (half ? SPLIT_RIGHT : SPLIT_LEFT)))
            continue;
        int i = split->count++;
        copy_group(to + i / SPLIT_GROUPS * SPLIT_ROWS * rows->depth + i % SPLIT_GROUPS * GROUP, SPLIT_ROWS,
                   rows->tiles + place_of(g, rows->depth), TILE_ROWS, rows->depth);
        split->group[i] = g;
        split->marks[i] = rows->marks[g];
    }
    split->taken = split->count / SPLIT_GROUPS * SPLIT_GROUPS;
    to += split->taken * GROUP * rows->depth;
    for (long k = 0; split->taken < split->count && k < rows->depth; k++)   /* the last place is empty */
        clear_floats(to + k * SPLIT_ROWS + GROUP, SPLIT_ROWS - GROUP);
}

/* Close the gaps of the groups that were taken. */
static void fill_gaps(packed_rows *rows, float *tiles)
{
    unsigned char is_gap[GROUPS_AT_ONCE] = {0};
    long end = rows->groups;
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < rows->split[half].taken; i++, rows->groups--)
            is_gap[rows->split[half].group[i]] = 1;
    for (long gap = 0; gap < rows->groups; gap++) {
        if (!is_gap[gap])
            continue;
        while (is_gap[--end])
            ;
        copy_group(tiles + place_of(gap, rows->depth), TILE_ROWS, tiles + place_of(end, rows->depth), TILE_ROWS,
                   rows->depth);
        rows->marks[gap] = rows->marks[end];
        rows->from[rows->moves] = end, rows->to[rows->moves++] = gap;
    }
}

/* Pack rows `row` to `row_end` (at most ROWS_AT_ONCE) of the m of a factor, over k to k_end. */
static void pack_rows(const factor *source, long m, long row, long row_end, long k, long k_end, float *scratch,
                      packed_rows *rows)
{
    long depth = k_end - k;
    *rows = (packed_rows){.row = row, .row_end = row_end, .depth = depth, .tiles = scratch};
    rows->groups = (row_end - row + GROUP - 1) / GROUP;
    if (source->kind == WINDOWS)
        pack_windows(source, row, row_end, k, k_end, scratch);
    else if (source->kind == MATRIX)
        pack_matrix(source, row, row_end, k, k_end, scratch);
    else
        for (long first = row; first < row_end; first += TILE_ROWS) {
            int count = row_end - first < TILE_ROWS ? (int)(row_end - first) : TILE_ROWS;
            pack_transposed(source, first, count, TILE_ROWS, k, k_end, scratch + (first - row) * depth);
        }
    mark_groups(m, rows->row, GROUPS_AT_ONCE, rows->marks);
    for (int half = 0; half < 2; half++)
        pack_split_groups(rows, half, scratch + (ROWS_AT_ONCE + half * SPLIT_AT_ONCE * GROUP) * depth);
    fill_gaps(rows, scratch);
}
