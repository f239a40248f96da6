// What a device must do for exact results, tried on given numbers: see device.py.

#pragma OPENCL FP_CONTRACT OFF

kernel void check(global const float *x, global const float *y, global float *quotient, global float *root,
                  global float *rest, global float *cancelled, global float *product)
{
    const int i = get_global_id(0);
    const float rounded = x[i] * y[i];
    product[i] = rounded;
    quotient[i] = x[i] / y[i];
    root[i] = sqrt(x[i]);
    rest[i] = fma(x[i], y[i], -rounded);
    cancelled[i] = x[i] * y[i] - rounded;
}
