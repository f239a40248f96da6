/* Everything that depends on the vector width; each of kernel_*.c compiles it once more.
 *
 * Needs NAME(x) and the vector types of one of vectors_*.h. Multiply-adds are fused where FMA says so and
 * nowhere else: compile with -ffp-contract=off and without -ffast-math.
 */
#ifdef __FAST_MATH__
#error "-ffast-math changes results"
#endif

#define INLINE static inline __attribute__((always_inline))
#define ALIGNED _Alignas(64)      /* a vector, or several, in whole lines of the cache */
#define UNROLL _Pragma("GCC unroll 12")
enum { ROWS_AT_ONCE = 320 };    /* with 320 of k they fill 400 KiB of a core's cache */

#include "rules.h"
#include "tiles.h"
#include "windows_packing.h"
#include "packing.h"
#include "panels.h"
#include "products.h"
#include "backward.h"
#include "vector_sums.h"
#include "pooling.h"

const long NAME(tile_rows) = TILE_ROWS;
const long NAME(rows_at_once) = ROWS_AT_ONCE;
const long NAME(scratch_rows) = ROWS_AT_ONCE + 2 * SPLIT_AT_ONCE * GROUP;
