/* The rounding order of OpenBLAS 0.3.x's Haswell kernel, element by element.
 *
 * A product C (m x n, column-major) is cut into blocks of k and of rows; inside a block of k an element is one
 * chain of fused multiply-adds, or two ("split") that are added at its end. Which elements are split follows
 * from the element's place alone, so any order of tiles, any vector width and any number of threads give the
 * same bits.
 */
#ifndef RULES_H
#define RULES_H

enum {
    BLOCK = 320,        /* of k, and of rows */
    GROUP = 8,          /* rows that are split, or not, together */
    PANEL = 12,         /* columns that are packed together */
    HALF_PANEL = PANEL / 2,
    QUAD = 4,           /* columns behind the last whole panel are taken four at a time */
};

/* How a group of rows is treated; several may hold. */
enum {
    WHOLE = 1,          /* all eight rows exist in their block of rows */
    FIRST_BLOCK = 2,    /* the block of rows is the first */
    SPLIT_LEFT = 4,     /* split in columns 0 to 5 of a whole panel */
    SPLIT_RIGHT = 8,    /* split in columns 6 to 11 of a whole panel */
};

/* The length of the next block where `left` are left; every block but the last is a multiple of eight. */
static inline long next_block(long left)
{
    if (left >= 2 * BLOCK)
        return BLOCK;
    return left > BLOCK ? (left / 2 + 7) / 8 * 8 : left;
}

static inline int group_marks(long group, long height, int is_first_block)
{
    long whole = height / GROUP;
    int marks = (group < whole ? WHOLE : 0) | (is_first_block ? FIRST_BLOCK : 0);
    if (height < 2 * GROUP)
        return marks;
    if (group == 0 || (group == whole - 1 && whole % 2 == 0))
        marks |= SPLIT_LEFT;
    if (group == whole - 1 && whole % 2 == 1)
        marks |= SPLIT_RIGHT;
    return marks;
}

/* The marks of `groups` groups from row `row` (a multiple of eight) of `m` on; 0 for those behind the end. */
static inline void mark_groups(long m, long row, long groups, unsigned char *marks)
{
    long end = row + groups * GROUP;
    for (long i = 0; i < groups; i++)
        marks[i] = 0;
    for (long start = 0, height; start < m && start < end; start += height) {
        height = next_block(m - start);
        for (long g = start < row ? (row - start) / GROUP : 0; g * GROUP < height && start + g * GROUP < end; g++)
            marks[(start + g * GROUP - row) / GROUP] = (unsigned char)group_marks(g, height, start == 0);
    }
}

/* How many leading columns of the `columns` (1 to 11) behind the last whole panel are split in such a group. */
static inline int split_remainder(int marks, int columns)
{
    if (!(marks & WHOLE))
        return 0;
    if (marks & FIRST_BLOCK)
        return columns / QUAD * QUAD;
    return columns < 2 * QUAD ? columns / QUAD * QUAD : 0;
}

#endif
