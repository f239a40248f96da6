/* Repeats products, convolutions, sums and pooling that Python computed, and counts the bits that differ.
 *
 * Reads one case after the other: a kind, its sizes, its inputs, the expected outputs; see test_aarch64.py. Is
 * linked with kernel_portable.c and columns.c for a processor that is emulated.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windows.h"

void pack_columns(int transposed, long n, long k, const float *b, long leading, float *packed);
void product_portable(const factor *, const float *, const result *, const region *, long, long, long, float *);
void convolve_backward_portable(const windows *, const float *, long, const float *, float *, long, long, long, long,
                                long, float *);
void gram_portable(const float *, long, long, float *, long, long, float *);
float dot_portable(long, const float *, const float *);
void axpy_portable(long, float, const float *, float *);
extern const long rows_at_once_portable, scratch_rows_portable, tile_rows_portable;

static long differing, compared;

static void *room(long floats)
{
    void *memory = aligned_alloc(64, (size_t)(floats * 4 + 127) / 64 * 64);
    return memory ? memory : (exit(2), NULL);
}

static float *next(long floats)
{
    float *values = room(floats);
    if (fread(values, 4, (size_t)floats, stdin) != (size_t)floats)
        exit(2);
    return values;
}

static void compare(const float *ours, long floats)
{
    float *expected = next(floats);
    for (long i = 0; i < floats; i++)
        differing += memcmp(ours + i, expected + i, 4) != 0;
    compared += floats;
}

static void convolution(const windows *w, long n_out)
{
    long taps = w->kernel_height * w->kernel_width, k = w->channels * taps, m = w->out_height * w->out_width;
    float *x = next(w->channels * w->height * w->width), *weight = next(n_out * k), *bias = next(n_out);
    float *grad = next(n_out * m), *out = room(n_out * m), *back = room(w->channels * w->height * w->width);
    float *forward = room((n_out + 11) / 12 * 12 * k), *backward = room((k + 11) / 12 * 12 * n_out);
    float *scratch = room(scratch_rows_portable * (n_out > 320 ? n_out : 320));
    factor rows = {WINDOWS, x, 0, *w};
    result sums = {out, m, bias, 0};
    region all = {0, m, 0, (n_out + 11) / 12};
    pack_columns(0, n_out, k, weight, k, forward);
    pack_columns(1, k, n_out, weight, k, backward);
    product_portable(&rows, forward, &sums, &all, m, n_out, k, scratch);
    compare(out, n_out * m);
    convolve_backward_portable(w, grad, n_out, backward, back, 0, w->channels, 0, w->height, rows_at_once_portable,
                               scratch);
    compare(back, w->channels * w->height * w->width);
}

static void others(long channels, long positions)
{
    float *x = next(channels * positions), *y = next(channels * positions), *out = room(channels * channels), *sum;
    float *scratch = room((scratch_rows_portable + channels + 12) * 320);
    gram_portable(x, channels, positions, out, 0, (channels + 11) / 12, scratch);
    compare(out, channels * channels);
    sum = room(1);
    *sum = dot_portable(channels * positions, x, y);
    compare(sum, 1);
    axpy_portable(channels * positions, 0.37f, x, y);
    compare(y, channels * positions);
}

int main(void)
{
    long header[12];
    while (fread(header, sizeof header, 1, stdin) == 1)
        if (header[11] > 0) {
            windows w;
            memcpy(&w, header, sizeof w);
            convolution(&w, header[11]);
        } else
            others(header[0], header[1]);
    printf("%ld rows a tile: %ld of %ld values differ\n", tile_rows_portable, differing, compared);
    return differing != 0;
}
