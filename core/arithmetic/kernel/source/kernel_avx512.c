/* The kernel for x86 with AVX-512 (F and VL). */
#if defined(__x86_64__)
#include <float.h>
#include <immintrin.h>
#include <string.h>

#include "windows.h"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx2,fma")
#endif
#define NAME(x) x##_avx512
#include "vectors_avx512.h"
#include "kernel.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
