/* Plain C for any processor: eight floats in an array. fmaf rounds once, in hardware or in the C library. */
#include <math.h>
#include <stdint.h>

#define LANES 8
#define TILE_COLUMNS 6
#define SPLIT_VECTORS 1
#define QUAD_VECTORS 1

typedef struct {
    float x[LANES];
} vec;

static inline vec SPREAD(float x)
{
    vec v;
    for (int i = 0; i < LANES; i++)
        v.x[i] = x;
    return v;
}
static inline vec ZERO(void) { return SPREAD(0); }
static inline vec LOAD(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void STORE(float *p, vec v) { memcpy(p, &v, sizeof v); }
static inline vec FMA(vec a, vec b, vec c)
{
    for (int i = 0; i < LANES; i++)
        c.x[i] = fmaf(a.x[i], b.x[i], c.x[i]);
    return c;
}
static inline vec ADD(vec a, vec b)
{
    for (int i = 0; i < LANES; i++)
        a.x[i] += b.x[i];
    return a;
}
static inline vec AND(vec a, vec b)
{
    uint32_t u[LANES], w[LANES];
    memcpy(u, &a, sizeof u), memcpy(w, &b, sizeof w);
    for (int i = 0; i < LANES; i++)
        u[i] &= w[i];
    memcpy(&a, u, sizeof u);
    return a;
}
/* x where `gate` is not <= 0 (so also where it is NaN), else +0 */
static inline vec WHERE_ABOVE_ZERO(vec gate, vec x)
{
    for (int i = 0; i < LANES; i++)
        x.x[i] = gate.x[i] <= 0 ? 0 : x.x[i];
    return x;
}
