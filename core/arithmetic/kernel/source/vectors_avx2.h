/* 8 floats a vector; 16 registers hold a tile of 16 rows and 6 columns. */
#define LANES 8
#define TILE_COLUMNS 6
#define SPLIT_VECTORS 1
#define QUAD_VECTORS 1

typedef __m256 vec;
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SPREAD(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#define AND(a, b) _mm256_and_ps(a, b)
/* x where `gate` is not <= 0 (so also where it is NaN), else +0 */
#define WHERE_ABOVE_ZERO(gate, x) \
    _mm256_and_ps(_mm256_cmp_ps(gate, _mm256_setzero_ps(), _CMP_NLE_UQ), x)
