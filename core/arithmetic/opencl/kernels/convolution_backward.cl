// The gradient at a convolution's input, without a matrix of columns.
//
// Torch7 makes columns by one product (positions x nIn taps, depth nOut) and adds them to the picture, kernel
// rows outside, kernel columns inside. Here every pixel takes its columns in that order, one tap after the
// other, each rounded as the product rounds it. Elements with two accumulators come from a table (`paired`).
//
// weights: [tap][nOut][nIn].  slots: [part][position], an element's row in its part's table, or -1.
// part_of, base_of: for each of the nIn taps columns its part (-1: none), and where its table begins.

kernel __attribute__((reqd_work_group_size(GX, GY, 1)))
void convolve_backward(global const float *restrict grad, global const float *restrict weights,
                       global float *restrict out, global const int *restrict cuts,
                       global const float *restrict paired, global const int *restrict slots,
                       global const char *restrict is_paired, global const int *restrict part_of,
                       global const int *restrict base_of, const int blocks, const int n_in, const int n_out,
                       const int height, const int width, const int out_height, const int out_width,
                       const int kernel_height, const int kernel_width, const int stride_y, const int stride_x,
                       const int padding_y, const int padding_x)
{
    local rows_t tile_a[KT * TM / V];
    local float tile_b[KT * TN];
    local int position_of[TM];
    local float *floats_a = (local float *)tile_a;
    const int lx = get_local_id(0), ly = get_local_id(1), lane = ly * GX + lx;
    const int row0 = get_group_id(0) * TM, column0 = get_group_id(1) * TN;
    const int pixels = height * width, positions = out_height * out_width;
    const int taps = kernel_height * kernel_width;

    rows_t sum[RN][RV];
    CLEAR(sum);
    for (int tap = 0; tap < taps; tap++) {
        SYNCHRONISE;
        for (int i = lane; i < TM; i += GROUP) {
            const int pixel = row0 + i;
            const int y = pixel / width + padding_y - tap / kernel_width;
            const int x = pixel % width + padding_x - tap % kernel_width;
            const int inside = pixel < pixels && y >= 0 && x >= 0 && y % stride_y == 0 && x % stride_x == 0 &&
                               y / stride_y < out_height && x / stride_x < out_width;
            position_of[i] = inside ? y / stride_y * out_width + x / stride_x : -1;
        }
#ifdef ON_PROCESSOR
        int in_line[TM / V];
        OVER(v, TM / V) {
            in_line[v] = position_of[v * V] >= 0;
            OVER(s, V) in_line[v] &= position_of[v * V + s] == position_of[v * V] + s;
        }
#endif
        rows_t column[RN][RV];
        CLEAR(column);
        for (int block = 0; block < blocks; block++) {
            rows_t acc[RN][RV];
            CLEAR(acc);
            const int stop = cuts[block + 1];
            for (int k0 = cuts[block]; k0 < stop; k0 += KT) {
                const int deep = min(KT, stop - k0);
                SYNCHRONISE;
#ifdef ON_PROCESSOR
                OVER(l, deep) {
                    global const float *from_here = grad + (k0 + l) * positions;
                    OVER(v, TM / V) {
                        if (in_line[v])
                            tile_a[l * (TM / V) + v] = LOAD(0, from_here + position_of[v * V]);
                        else
                            OVER(s, V) floats_a[l * TM + v * V + s] = from_here[max(position_of[v * V + s], 0)];
                    }
                    global const float *weights_here = weights + (tap * n_out + k0 + l) * n_in;
                    OVER(j, TN) tile_b[l * TN + j] = weights_here[min(column0 + j, n_in - 1)];
                }
#else
                for (int i = lane; i < TM; i += GROUP) {
                    global const float *from_here = grad + max(position_of[i], 0);
                    for (int l = 0; l < deep; l++)
                        floats_a[l * TM + i] = from_here[(k0 + l) * positions];
                }
                for (int e = lane; e < TN * KT; e += GROUP) {
                    const int l = e / TN, j = min(column0 + e % TN, n_in - 1);
                    tile_b[e] = l < deep ? weights[(tap * n_out + k0 + l) * n_in + j] : 0.0f;
                }
#endif
                SYNCHRONISE;
                if (deep == KT) {
                    DEEP(l, KT) STEP(acc, l);
                } else {
                    for (int l = 0; l < deep; l++)
                        STEP(acc, l);
                }
            }
            EACH(c, RN) EACH(v, RV) column[c][v] += acc[c][v];
        }
        EACH(v, RV) {
            union {
                rows_t vector;
                float each[V];
            } value, before;
            EACH(c, RN) {
                const int channel = column0 + ly * RN + c, j = channel * taps + tap;
                value.vector = column[c][v];
                before.vector = sum[c][v];
                LANES(s) {
                    const int position = position_of[ROW_OF(v) + s];
                    if (position >= 0 && channel < n_in) {
                        if (is_paired[position] && part_of[j] >= 0) {
                            const int slot = slots[part_of[j] * positions + position];
                            if (slot >= 0)
                                value.each[s] = paired[base_of[j] + slot];
                        }
                        before.each[s] += value.each[s];
                    }
                }
                sum[c][v] = before.vector;
            }
        }
    }
    EACH(c, RN) {
        const int channel = column0 + ly * RN + c;
        if (channel >= n_in)
            continue;
        EACH(v, RV) {
            union {
                rows_t vector;
                float each[V];
            } value;
            value.vector = sum[c][v];
            LANES(s)
                if (row0 + ROW_OF(v) + s < pixels)
                    out[(size_t)channel * pixels + row0 + ROW_OF(v) + s] = value.each[s];
        }
    }
}
