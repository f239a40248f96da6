/* 4 floats a vector; 32 registers hold a tile of 8 rows and 12 columns. */
#include <arm_neon.h>

#define LANES 4
#define TILE_COLUMNS 12
#define SPLIT_VECTORS 2
#define QUAD_VECTORS 2

typedef float32x4_t vec;
#define ZERO() vdupq_n_f32(0)
#define LOAD(p) vld1q_f32(p)
#define STORE(p, v) vst1q_f32(p, v)
#define SPREAD(x) vdupq_n_f32(x)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define ADD(a, b) vaddq_f32(a, b)
#define AND(a, b) vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)))
/* x where `gate` is not <= 0 (so also where it is NaN), else +0 */
#define WHERE_ABOVE_ZERO(gate, x) \
    vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), vcleq_f32(gate, vdupq_n_f32(0))))
