/* sdot and saxpy, and element-wise work. */

enum { STRIDE = 32 };       /* elements that OpenBLAS's kernels take at once */

float NAME(dot)(long n, const float *x, const float *y)
{
    vec sum[STRIDE / LANES];
    long whole = n / STRIDE * STRIDE;
    UNROLL
    for (int v = 0; v < STRIDE / LANES; v++)
        sum[v] = ZERO();
    for (long i = 0; i < whole; i += STRIDE)
        UNROLL
        for (int v = 0; v < STRIDE / LANES; v++)
            sum[v] = FMA(LOAD(x + i + v * LANES), LOAD(y + i + v * LANES), sum[v]);
    float lanes[4][8], quarter[4];
    for (int v = 0; v < STRIDE / LANES; v++)
        STORE(lanes[0] + v * LANES, sum[v]);
    for (int l = 0; l < 4; l++)
        quarter[l] = ((lanes[0][l] + lanes[0][l + 4]) + (lanes[1][l] + lanes[1][l + 4])) +
                     ((lanes[2][l] + lanes[2][l + 4]) + (lanes[3][l] + lanes[3][l + 4]));
    double tail = 0;
    for (long i = whole; i < n; i++)
        tail += x[i] * y[i];
    return (float)(tail + ((quarter[0] + quarter[1]) + (quarter[2] + quarter[3])));
}

void NAME(axpy)(long n, float alpha, const float *x, float *y)
{
    long whole = n / STRIDE * STRIDE;
    vec factor = SPREAD(alpha);
    for (long i = 0; i < whole; i += LANES)
        STORE(y + i, FMA(factor, LOAD(x + i), LOAD(y + i)));
    for (long i = whole; i < n; i++)
        y[i] += alpha * x[i];
}

/* x where `gate` is not <= 0, else +0. */
void NAME(gate)(long n, const float *gate, float *x)
{
    long i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE(x + i, WHERE_ABOVE_ZERO(LOAD(gate + i), LOAD(x + i)));
    for (; i < n; i++)
        x[i] = gate[i] <= 0 ? 0 : x[i];
}

/* x = factor x + y, two roundings. */
void NAME(scaled_sum)(long n, float factor, float *x, const float *y)
{
    for (long i = 0; i < n; i++) {
        float scaled = factor * x[i];
        x[i] = scaled + y[i];
    }
}
