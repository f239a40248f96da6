#include "rules.h"

/* Columns of op(B), k x n, packed in panels of 12, one k after the other; zero behind the last column.
 * `b` is column-major, k x n, or, `transposed`, n x k. */
void pack_columns(int transposed, long n, long k, const float *b, long leading, float *packed)
{
    for (long j = 0; j < n; j += PANEL)
        for (long l = 0; l < k; l++, packed += PANEL)
            for (long c = 0; c < PANEL; c++)
                packed[c] = j + c >= n ? 0 : transposed ? b[j + c + l * leading] : b[l + (j + c) * leading];
}
