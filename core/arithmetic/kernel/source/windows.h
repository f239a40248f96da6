/* A sliding window over a picture, and the plain structures that Python hands over. */
#ifndef WINDOWS_H
#define WINDOWS_H

typedef struct {
    long channels, height, width;               /* the input */
    long kernel_height, kernel_width;
    long stride_y, stride_x, padding_y, padding_x;
    long out_height, out_width;
} windows;

/* The rows of a product's first factor: a matrix, its transpose, or the pixels under every tap of a window. */
typedef struct {
    long kind;              /* MATRIX, TRANSPOSED or WINDOWS */
    const float *data;
    long leading;           /* distance of columns of the stored matrix */
    windows window;
} factor;

enum { MATRIX, TRANSPOSED, WINDOWS };

/* The product's result: column-major, m rows. */
typedef struct {
    float *data;
    long leading;
    const float *bias;      /* one start for every column, or none */
    long keeps;             /* whether the start is what is there (where there is no bias) */
} result;

/* What one call computes of it: rows from `row` (a multiple of 8) to `row_end`, panels of 12 columns. */
typedef struct {
    long row, row_end, panel, panel_end;
} region;

#endif
