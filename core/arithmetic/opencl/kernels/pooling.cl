// Pooling with Torch7's rules: one work item for each output going forward, for each input going back.

#pragma OPENCL FP_CONTRACT OFF

#define SHAPE const int channels, const int height, const int width, const int out_height, const int out_width, \
    const int kernel_height, const int kernel_width, const int stride_y, const int stride_x,                    \
    const int padding_y, const int padding_x

// The first and the last output (exclusive) whose window holds this pixel of one axis.
int first_window(const int pixel, const int kernel_size, const int stride)
{
    return pixel < kernel_size ? 0 : (pixel - kernel_size) / stride + 1;
}

int last_window(const int pixel, const int stride, const int outputs)
{
    return min(pixel / stride + 1, outputs);
}

// where: the pixel that is the window's maximum, -1 for none. NaN never wins.
kernel void max_pool(global const float *restrict x, global float *restrict out, global int *restrict where,
                     SHAPE)
{
    const int e = get_global_id(0);
    if (e >= channels * out_height * out_width)
        return;
    const int channel = e / (out_height * out_width), rest = e % (out_height * out_width);
    const int top = rest / out_width * stride_y - padding_y, left = rest % out_width * stride_x - padding_x;
    global const float *plane = x + (size_t)channel * height * width;
    float best = -FLT_MAX;
    int at = -1;
    for (int y = max(top, 0); y < min(top + kernel_height, height); y++)
        for (int xx = max(left, 0); xx < min(left + kernel_width, width); xx++) {
            const float value = plane[y * width + xx];
            if (value > best) {
                best = value;
                at = y * width + xx;
            }
        }
    out[e] = best;
    where[e] = at;
}

kernel void max_pool_backward(global const float *restrict grad, global const int *restrict where,
                              global float *restrict out, SHAPE)
{
    const int e = get_global_id(0);
    if (e >= channels * height * width)
        return;
    const int channel = e / (height * width), pixel = e % (height * width);
    const int y = pixel / width + padding_y, x = pixel % width + padding_x;
    const int plane = channel * out_height * out_width;
    float sum = 0.0f;
    for (int oy = first_window(y, kernel_height, stride_y); oy < last_window(y, stride_y, out_height); oy++)
        for (int ox = first_window(x, kernel_width, stride_x); ox < last_window(x, stride_x, out_width); ox++) {
            const int at = plane + oy * out_width + ox;
            if (where[at] == pixel)
                sum += grad[at];
        }
    out[e] = sum;
}

// Pixels of a window clipped to the padded input: the padding counts.
float area(const int oy, const int ox, SHAPE)
{
    const int top = oy * stride_y - padding_y, left = ox * stride_x - padding_x;
    const int bottom = min(top + kernel_height, height + padding_y);
    const int right = min(left + kernel_width, width + padding_x);
    return (float)((bottom - top) * (right - left));
}

#define SHAPE_OF_THIS channels, height, width, out_height, out_width, kernel_height, kernel_width, stride_y, \
    stride_x, padding_y, padding_x

kernel void average_pool(global const float *restrict x, global float *restrict out, SHAPE)
{
    const int e = get_global_id(0);
    if (e >= channels * out_height * out_width)
        return;
    const int channel = e / (out_height * out_width), rest = e % (out_height * out_width);
    const int oy = rest / out_width, ox = rest % out_width;
    const int top = oy * stride_y - padding_y, left = ox * stride_x - padding_x;
    global const float *plane = x + (size_t)channel * height * width;
    float sum = 0.0f;
    for (int y = max(top, 0); y < min(top + kernel_height, height); y++)
        for (int xx = max(left, 0); xx < min(left + kernel_width, width); xx++)
            sum += plane[y * width + xx];
    out[e] = sum / area(oy, ox, SHAPE_OF_THIS);
}

kernel void average_pool_backward(global const float *restrict grad, global float *restrict out, SHAPE)
{
    const int e = get_global_id(0);
    if (e >= channels * height * width)
        return;
    const int channel = e / (height * width), pixel = e % (height * width);
    const int y = pixel / width + padding_y, x = pixel % width + padding_x;
    const int plane = channel * out_height * out_width;
    float sum = 0.0f;
    for (int oy = first_window(y, kernel_height, stride_y); oy < last_window(y, stride_y, out_height); oy++)
        for (int ox = first_window(x, kernel_width, stride_x); ox < last_window(x, stride_x, out_width); ox++)
            sum += grad[plane + oy * out_width + ox] / area(oy, ox, SHAPE_OF_THIS);
    out[e] = sum;
}
