/* Fused multiply-adds out of registers, as fast as this processor can: GFLOP/s of argv[1] threads.
 * cc -O3 -march=native -ffp-contract=fast -pthread peak.c */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __AVX512F__
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
enum { CHAINS = 12, STEPS = 20000000 };
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

static void *run(void *result)
{
    volatile float half = 0.5f;         /* unknown to the compiler, which leaves nothing out then */
    vec sum[CHAINS], zero = {0}, factor = zero + half;
    for (int i = 0; i < CHAINS; i++)
        sum[i] = zero + half * (float)i;
    for (long step = 0; step < STEPS; step++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * factor + factor;
    for (int i = 0; i < CHAINS; i++)
        *(volatile float *)result = sum[i][0];
    return NULL;
}

int main(int count, char **arguments)
{
    int threads = count > 1 ? atoi(arguments[1]) : 1;
    pthread_t running[64];
    float results[64];
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_create(&running[i], NULL, run, &results[i]);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_join(running[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    printf("%f\n", 2.0 * CHAINS * LANES * STEPS * threads / seconds / 1e9);
    return 0;
}
