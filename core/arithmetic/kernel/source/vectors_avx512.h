/* 16 floats a vector; 32 registers hold a tile of 32 rows and 12 columns. */
#define LANES 16
#define TILE_COLUMNS 12
#define SPLIT_VECTORS 1
#define QUAD_VECTORS 2

typedef __m512 vec;
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#define AND(a, b) _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_castps_si512(b)))
/* x where `gate` is not <= 0 (so also where it is NaN), else +0 */
#define WHERE_ABOVE_ZERO(gate, x) \
    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(gate, _mm512_setzero_ps(), _CMP_NLE_UQ), x)
