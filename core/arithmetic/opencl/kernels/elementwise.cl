// Work on single elements, in float32 with one rounding for each operation written here.

#pragma OPENCL FP_CONTRACT OFF

#define HERE                           \
    const int i = get_global_id(0);    \
    if (i >= size)                     \
        return;

kernel void fill(global float *x, const float value, const int size)
{
    HERE x[i] = value;
}

kernel void add(global const float *x, global const float *y, global float *out, const int size)
{
    HERE out[i] = x[i] + y[i];
}

kernel void subtract(global const float *x, global const float *y, global float *out, const int size)
{
    HERE out[i] = x[i] - y[i];
}

kernel void multiply(global const float *x, global const float *y, global float *out, const int size)
{
    HERE out[i] = x[i] * y[i];
}

kernel void subtract_from(const float minuend, global const float *x, global float *out, const int size)
{
    HERE out[i] = minuend - x[i];
}

kernel void scale(global const float *x, const float factor, global float *out, const int size)
{
    HERE out[i] = x[i] * factor;
}

kernel void divide(global float *x, const float divisor, const int size)
{
    HERE x[i] = x[i] / divisor;
}

kernel void scaled_sum(global float *x, const float factor, global const float *y, const int size)
{
    HERE x[i] = x[i] * factor + y[i];
}

// OpenBLAS's saxpy: fused in whole groups of 32, two roundings behind them.
kernel void axpy(const float alpha, global const float *x, global float *y, const int size)
{
    HERE
    if (i < size / 32 * 32)
        y[i] = fma(alpha, x[i], y[i]);
    else
        y[i] = y[i] + alpha * x[i];
}

kernel void relu(global float *x, const int size)
{
    HERE if (x[i] <= 0.0f) x[i] = 0.0f;
}

// The gradient of a rectification whose output is known.
kernel void mask(global float *grad, global const float *output, const int size)
{
    HERE if (output[i] <= 0.0f) grad[i] = 0.0f;
}

kernel void adam(global float *x, global const float *m, global float *v, global const float *g,
                 const float beta2, const float one_minus_beta2, const float minus_step, const int size)
{
    HERE
    v[i] = v[i] * beta2 + one_minus_beta2 * g[i] * g[i];
    const float denominator = sqrt(v[i]) + 1e-8f;
    x[i] = x[i] + minus_step * m[i] / denominator;
}

// A picture with zeros around it.
kernel void pad(global const float *restrict x, global float *restrict out, const int height, const int width,
                const int padding_y, const int padding_x, const int size)
{
    HERE
    const int wide = width + 2 * padding_x, high = height + 2 * padding_y;
    const int channel = i / (wide * high), y = i / wide % high - padding_y, column = i % wide - padding_x;
    const int inside = y >= 0 && y < height && column >= 0 && column < width;
    out[i] = inside ? x[(channel * height + y) * width + column] : 0.0f;
}

// neural_style.lua's total variation: neither the last row nor the last column starts a difference.
kernel void total_variation(global const float *restrict x, global float *restrict out, const int height,
                            const int width, const int size)
{
    HERE
    const int column = i % width, y = i / width % height;
    const int starts = y < height - 1 && column < width - 1;
    float sum = 0.0f;
    if (starts)
        sum = (sum + (x[i] - x[i + 1])) + (x[i] - x[i + width]);
    if (y < height - 1 && column > 0)
        sum = sum - (x[i - 1] - x[i]);
    if (y > 0 && column < width - 1)
        sum = sum - (x[i - width] - x[i]);
    out[i] = sum;
}
