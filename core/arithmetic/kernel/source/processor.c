/* What the library is and what this processor can do. Called through ctypes, so Python's headers are not needed. */

/* Counted up with every change of a function's or structure's shape; library.py holds the same number. */
const long products_interface = 2;

/* 2: AVX-512, 1: AVX2, 0: neither (NEON or plain C). */
int widest_vectors(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return 0;
}
