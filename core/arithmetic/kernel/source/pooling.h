/* Max pooling: the first maximum in row-major order wins, NaN never does, an empty window gives -FLT_MAX. */

enum { NOWHERE = 255 };     /* the tap of a window without a winner; the caller keeps taps below it */

INLINE void look(float value, unsigned char tap, float *best, unsigned char *where)
{
    int wins = value > *best || (value == *best && *where == NOWHERE);
    *best = wins ? value : *best;
    *where = wins ? tap : *where;
}

/* One row of outputs of windows of 2 x 2 at distance 2, all inside the picture. */
INLINE void pool_pairs(const float *above, const float *below, long count, float *out, unsigned char *where)
{
    for (long x = 0; x < count; x++) {
        float pixels[4] = {above[2 * x], above[2 * x + 1], below[2 * x], below[2 * x + 1]}, best = -FLT_MAX;
        int tap = NOWHERE;
        UNROLL
        for (int i = 3; i >= 0; i--) {      /* from the last, so that an equal one before it wins */
            int wins = pixels[i] >= best;
            best = wins ? pixels[i] : best;
            tap = wins ? i : tap;
        }
        out[x] = best;
        where[x] = (unsigned char)tap;
    }
}

static void pool_window(const windows *w, const float *plane, long out_y, long out_x, float *out, unsigned char *where)
{
    float best = -FLT_MAX;
    unsigned char tap = NOWHERE;
    for (long ky = 0; ky < w->kernel_height; ky++)
        for (long kx = 0; kx < w->kernel_width; kx++) {
            long y = out_y * w->stride_y + ky - w->padding_y, x = out_x * w->stride_x + kx - w->padding_x;
            if (y >= 0 && y < w->height && x >= 0 && x < w->width)
                look(plane[y * w->width + x], (unsigned char)(ky * w->kernel_width + kx), &best, &tap);
        }
    *out = best, *where = tap;
}

void NAME(max_pool)(const windows *w, const float *x, float *out, unsigned char *where, long channel,
                           long channel_end)
{
    int is_pairs = w->kernel_height == 2 && w->kernel_width == 2 && w->stride_y == 2 && w->stride_x == 2 &&
                   w->padding_y == 0 && w->padding_x == 0;
    for (long row = channel * w->out_height; row < channel_end * w->out_height; row++) {
        const float *plane = x + row / w->out_height * w->height * w->width;
        long out_y = row % w->out_height, done = 0;
        if (is_pairs && 2 * out_y + 1 < w->height) {
            const float *above = plane + 2 * out_y * w->width;
            done = w->width / 2 < w->out_width ? w->width / 2 : w->out_width;
            pool_pairs(above, above + w->width, done, out + row * w->out_width, where + row * w->out_width);
        }
        for (; done < w->out_width; done++)
            pool_window(w, plane, out_y, done, out + row * w->out_width + done, where + row * w->out_width + done);
    }
}

void NAME(max_pool_backward)(const windows *w, const float *grad, const unsigned char *where, float *out,
                                    long channel, long channel_end)
{
    long size = w->height * w->width;
    memset(out + channel * size, 0, (size_t)((channel_end - channel) * size) * sizeof(float));
    for (long row = channel * w->out_height; row < channel_end * w->out_height; row++) {
        float *plane = out + row / w->out_height * size;
        long top = row % w->out_height * w->stride_y - w->padding_y;
        for (long x = 0; x < w->out_width; x++) {
            long tap = where[row * w->out_width + x];
            long at_y = top + tap / w->kernel_width, at_x = x * w->stride_x - w->padding_x + tap % w->kernel_width;
            if (tap != NOWHERE && at_y >= 0 && at_y < w->height && at_x >= 0 && at_x < w->width)
                plane[at_y * w->width + at_x] += grad[row * w->out_width + x];
        }
    }
}
