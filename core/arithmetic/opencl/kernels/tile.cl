// The register and local-memory tile that both kinds of product share.
//
// V          floats in a vector of rows (consecutive positions)
// RV, RN     vectors of rows, and columns, that one work item computes
// GX, GY     work items of a group along rows and columns
// KT         depth of the part of both operands in local memory, a multiple of 8
//
// Every element is one chain of fused multiply-adds in ascending order: no reordering, no contraction.

#pragma OPENCL FP_CONTRACT OFF

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, V) rows_t;

#define TM (GX * RV * V)
#define TN (GY * RN)
#define GROUP (GX * GY)
#define EACH(name, count) _Pragma("unroll") for (int name = 0; name < (count); name++)
#define OVER(name, count) _Pragma("nounroll") for (int name = 0; name < (count); name++)

// Vector v of the work item at lx starts at this row of the tile: neighbours read and write side by side.
#define ROW_OF(v) (((v) * GX + lx) * V)

// acc += A[:, l] B[l, :] for the work item's part of the tile.
#define STEP(acc, l)                                                          \
    {                                                                         \
        rows_t part[RV];                                                      \
        EACH(v, RV) part[v] = tile_a[((l) * TM + ROW_OF(v)) / V];             \
        EACH(c, RN) {                                                         \
            const rows_t other = (rows_t)(tile_b[(l) * TN + ly * RN + c]);    \
            EACH(v, RV) acc[c][v] = fma(part[v], other, acc[c][v]);           \
        }                                                                     \
    }

// A group of one work item, on a processor, moves whole vectors where it can; a graphics card moves floats, one
// for each work item, side by side.
#if GX * GY == 1
#define ON_PROCESSOR
#define SYNCHRONISE
#define DEEP(name, count) OVER(name, count)
#define LANES(name) OVER(name, V)
#else
#define SYNCHRONISE barrier(CLK_LOCAL_MEM_FENCE)
#define DEEP(name, count) _Pragma("unroll 8") for (int name = 0; name < (count); name++)
#define LANES(name) EACH(name, V)
#endif
#define LOAD JOIN(vload, V)

#define CLEAR(acc) EACH(c, RN) EACH(v, RV) acc[c][v] = (rows_t)(0.0f)
