// C = start + A B, block of depth by block of depth, each element as OpenBLAS's Haswell kernel rounds it.
//
// A is addressed in one of three ways:
//   WINDOWS  row i is a window of a padded picture, the depth runs over its pixels (taps[])
//   ROWS     A[i, l] = a[i + l * a_depth]      (rows side by side)
//   DEPTH    A[i, l] = a[i * a_row + l]        (depth side by side)
// B[l, j] = b[l * b_depth + j * b_column].
// PAIRED: only the rows and columns listed, with two accumulators: of every eight steps the even ones go to
// the first, the odd ones to the second; what is left behind the last eight goes to the first.

#ifdef WINDOWS
#define BASE(i) (((i) / width) * step_y + ((i) % width) * step_x)
#define ALONG(l) taps[l]
#elif defined(ROWS)
#define BASE(i) (i)
#define ALONG(l) ((l) * a_depth)
#else
#define BASE(i) ((i) * a_row)
#define ALONG(l) (l)
#endif

#ifdef PAIRED
#define ROW(i) row_list[i]
#define COLUMN(j) column_list[j]
#else
#define ROW(i) (i)
#define COLUMN(j) (j)
#endif

#define FROM_ZERO 0
#define FROM_COLUMN 1 // start[j]
#define FROM_MATRIX 2 // start[i + j * c_column]
#define BLOCK_ONLY 3  // one block for each group of the third dimension, for `add_blocks`

// height, columns: of the result, or of the lists.  cuts: where the blocks of depth begin, and the end.
// compact: the result is numbered as the lists are.
kernel __attribute__((reqd_work_group_size(GX, GY, 1)))
void product(global const float *restrict a, global const float *restrict b, global const float *start,
             global float *c, global const int *restrict cuts, global const int *restrict taps,
             global const int *restrict row_list, global const int *restrict column_list, const int first,
             const int last, const int height, const int columns, const int a_row, const int a_depth,
             const int width, const int step_y, const int step_x, const int b_depth, const int b_column,
             const int c_column, const int from, const int compact, const ulong c_block, const ulong offset)
{
    local rows_t tile_a[KT * TM / V];
    local float tile_b[KT * TN];
    local float *floats_a = (local float *)tile_a;
    const int lx = get_local_id(0), ly = get_local_id(1), lane = ly * GX + lx;
    const int row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN;
    const int begin = from == BLOCK_ONLY ? first + (int)get_group_id(2) : first;
    const int end = from == BLOCK_ONLY ? begin + 1 : last;
    c += offset + get_group_id(2) * c_block;

#ifdef ON_PROCESSOR
    int base[TM], in_line[TM / V], place[TN];
    OVER(i, TM) {
        const int row = ROW(min(row0 + i, height - 1));
        base[i] = BASE(row);
    }
    OVER(v, TM / V) {
        in_line[v] = 1;
        OVER(s, V) in_line[v] &= base[v * V + s] == base[v * V] + s;
    }
    OVER(j, TN) {
        const int column = COLUMN(min(column0 + j, columns - 1));
        place[j] = column * b_column;
    }
#endif
    for (int block = begin; block < end; block++) {
        rows_t acc[RN][RV];
        CLEAR(acc);
#ifdef PAIRED
        rows_t odd[RN][RV];
        CLEAR(odd);
#endif
        const int stop = cuts[block + 1];
        for (int k0 = cuts[block]; k0 < stop; k0 += KT) {
            const int deep = min(KT, stop - k0);
#if defined(ON_PROCESSOR) && defined(DEPTH)
            OVER(i, TM) OVER(l, deep) floats_a[l * TM + i] = a[base[i] + k0 + l];
            OVER(j, TN) OVER(l, deep) tile_b[l * TN + j] = b[(k0 + l) * b_depth + place[j]];
#elif defined(ON_PROCESSOR)
            OVER(l, deep) {
                global const float *from_here = a + ALONG(k0 + l);
                OVER(v, TM / V) {
                    if (in_line[v])
                        tile_a[l * (TM / V) + v] = LOAD(0, from_here + base[v * V]);
                    else
                        OVER(s, V) floats_a[l * TM + v * V + s] = from_here[base[v * V + s]];
                }
                OVER(j, TN) tile_b[l * TN + j] = b[(k0 + l) * b_depth + place[j]];
            }
#elif defined(DEPTH)
            for (int e = lane; e < TM * KT; e += GROUP) {
                const int i = e / KT, l = e % KT;
                const int row = ROW(min(row0 + i, height - 1));
                floats_a[l * TM + i] = l < deep ? a[BASE(row) + ALONG(k0 + l)] : 0.0f;
            }
            for (int e = lane; e < TN * KT; e += GROUP) {
                const int l = e % KT, column = COLUMN(min(column0 + e / KT, columns - 1));
                tile_b[l * TN + e / KT] = l < deep ? b[(k0 + l) * b_depth + column * b_column] : 0.0f;
            }
#else
            for (int i = lane; i < TM; i += GROUP) {
                const int row = ROW(min(row0 + i, height - 1));
                global const float *from_here = a + BASE(row);
                for (int l = 0; l < deep; l++)
                    floats_a[l * TM + i] = from_here[ALONG(k0 + l)];
            }
            for (int e = lane; e < TN * KT; e += GROUP) {
                const int l = e / TN, column = COLUMN(min(column0 + e % TN, columns - 1));
                tile_b[e] = l < deep ? b[(k0 + l) * b_depth + column * b_column] : 0.0f;
            }
#endif
            SYNCHRONISE;
#ifdef PAIRED
            const int pairs = deep / 8 * 8;
            for (int l = 0; l < pairs; l += 2) {
                STEP(acc, l);
                STEP(odd, l + 1);
            }
            for (int l = pairs; l < deep; l++)
                STEP(acc, l);
#else
            if (deep == KT) {
                DEEP(l, KT) STEP(acc, l);
            } else {
                for (int l = 0; l < deep; l++)
                    STEP(acc, l);
            }
#endif
            SYNCHRONISE;
        }
        EACH(n, RN) {
            const int j = column0 + ly * RN + n;
            if (j >= columns)
                continue;
            const int column = COLUMN(j);
            global float *to = c + (size_t)(compact ? j : column) * c_column;
            EACH(v, RV) {
                union {
                    rows_t vector;
                    float each[V];
                } sum;
#ifdef PAIRED
                sum.vector = acc[n][v] + odd[n][v];
#else
                sum.vector = acc[n][v];
#endif
                LANES(s) {
                    const int i = row0 + ROW_OF(v) + s;
                    if (i < height) {
                        const int at = compact ? i : ROW(i);
                        float before = 0.0f;
                        if (from == FROM_COLUMN)
                            before = start[column];
                        else if (from == FROM_MATRIX)
                            before = start[(size_t)column * c_column + at];
                        if (block > first && from != BLOCK_ONLY)
                            before = to[at];
                        to[at] = from == BLOCK_ONLY ? sum.each[s] : before + sum.each[s];
                    }
                }
            }
        }
    }
}

// c = start + the blocks that `product` left one behind the other, in their order.
kernel void add_blocks(global const float *restrict blocks, global const float *start, global float *c,
                       const int count, const int height, const int elements, const int from)
{
    const int e = get_global_id(0);
    if (e >= elements)
        return;
    float sum = from == FROM_COLUMN ? start[e / height] : from == FROM_MATRIX ? start[e] : 0.0f;
    for (int block = 0; block < count; block++)
        sum += blocks[(size_t)block * elements + e];
    c[e] = sum;
}
