// OpenBLAS's sdot: 32 chains of fused multiply-adds over whole groups of 32, joined in a fixed tree: out[0].
// Behind it the products of what is left, rounded to float32; their sum in float64 is left to the caller, as
// not every device has float64.

#pragma OPENCL FP_CONTRACT OFF

#define LANES 32
#define DEEP 32 // groups of 32 in local memory at once

kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void dot_product(global const float *restrict x, global const float *restrict y, global float *restrict out,
                 const int whole, const int size)
{
    local float part_x[LANES * DEEP], part_y[LANES * DEEP], lanes[LANES];
    const int lane = get_local_id(0);
    for (int t = lane; t < LANES; t += GROUP)
        lanes[t] = 0.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int at = 0; at < whole; at += LANES * DEEP) {
        const int count = min(LANES * DEEP, whole - at);
        for (int e = lane; e < count; e += GROUP) {
            part_x[e] = x[at + e];
            part_y[e] = y[at + e];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int t = lane; t < LANES; t += GROUP) {
            float sum = lanes[t];
            for (int e = t; e < count; e += LANES)
                sum = fma(part_x[e], part_y[e], sum);
            lanes[t] = sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int e = whole + lane; e < size; e += GROUP)
        out[1 + e - whole] = x[e] * y[e];
    if (lane == 0) {
        float four[4];
        for (int l = 0; l < 4; l++) {
            float group[4];
            for (int u = 0; u < 4; u++)
                group[u] = lanes[8 * u + l] + lanes[8 * u + l + 4];
            four[l] = (group[0] + group[1]) + (group[2] + group[3]);
        }
        out[0] = (four[0] + four[1]) + (four[2] + four[3]);
    }
}
