/* One tile of a product: TILE_ROWS rows or fewer and up to 12 columns over one block of k.
 *
 * `a` holds `height` rows for every k, of which `vectors` are computed; `b` holds PANEL columns for every k. The
 * sums of the chains are written to `tile`, its columns `distance` apart.
 */
#define TILE_VECTORS 2
#define TILE_ROWS (TILE_VECTORS * LANES)
#define TILE_GROUPS (TILE_ROWS / GROUP)

/* One chain for every element. */
INLINE void chains(const float *a, const float *b, long k, float *tile, long distance, const int columns,
                   const int vectors, const int height)
{
    vec sum[TILE_COLUMNS][TILE_VECTORS];
    UNROLL
    for (int c = 0; c < columns; c++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[c][v] = ZERO();
    for (; k > 0; k--, a += height, b += PANEL) {
        vec rows[TILE_VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            rows[v] = LOAD(a + v * LANES);
        UNROLL
        for (int c = 0; c < columns; c++) {
            vec factor = SPREAD(b[c]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[c][v] = FMA(rows[v], factor, sum[c][v]);
        }
    }
    UNROLL
    for (int c = 0; c < columns; c++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            STORE(tile + c * distance + v * LANES, sum[c][v]);
}

/* Two chains for every element: one over the even k of whole eights and over what is left behind them, one over
 * the odd k. */
INLINE void split_chains(const float *a, const float *b, long k, float *tile, long distance, const int columns,
                         const int vectors, const int height)
{
    vec even[HALF_PANEL][TILE_VECTORS], odd[HALF_PANEL][TILE_VECTORS];
    long left = k % 8;
    UNROLL
    for (int c = 0; c < columns; c++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            even[c][v] = odd[c][v] = ZERO();
    for (k -= left; k > 0; k -= 2, a += 2 * height, b += 2 * PANEL)
        UNROLL
        for (int c = 0; c < columns; c++) {
            vec first = SPREAD(b[c]), second = SPREAD(b[PANEL + c]);
            UNROLL
            for (int v = 0; v < vectors; v++) {
                even[c][v] = FMA(LOAD(a + v * LANES), first, even[c][v]);
                odd[c][v] = FMA(LOAD(a + height + v * LANES), second, odd[c][v]);
            }
        }
    for (; left > 0; left--, a += height, b += PANEL)
        UNROLL
        for (int c = 0; c < columns; c++)
            UNROLL
            for (int v = 0; v < vectors; v++)
                even[c][v] = FMA(LOAD(a + v * LANES), SPREAD(b[c]), even[c][v]);
    UNROLL
    for (int c = 0; c < columns; c++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            STORE(tile + c * distance + v * LANES, ADD(even[c][v], odd[c][v]));
}

/* A panel over a whole tile, or over one that has few rows. */
static void panel_chains(const float *a, const float *b, long k, float *tile, long distance)
{
    UNROLL
    for (int c = 0; c < PANEL; c += TILE_COLUMNS)
        chains(a, b + c, k, tile + c * distance, distance, TILE_COLUMNS, TILE_VECTORS, TILE_ROWS);
}

static void narrow_panel_chains(const float *a, const float *b, long k, float *tile, long distance)
{
    UNROLL
    for (int c = 0; c < PANEL; c += TILE_COLUMNS)
        chains(a, b + c, k, tile + c * distance, distance, TILE_COLUMNS, 1, TILE_ROWS);
}

/* Half a panel over SPLIT_ROWS rows that were packed together because they are split, or plain, in it. */
#define SPLIT_ROWS (SPLIT_VECTORS * LANES)

static void split_half_chains(const float *a, const float *b, long k, float *tile, long distance)
{
    split_chains(a, b, k, tile, distance, HALF_PANEL, SPLIT_VECTORS, SPLIT_ROWS);
}

static void plain_half_chains(const float *a, const float *b, long k, float *tile, long distance)
{
    chains(a, b, k, tile, distance, HALF_PANEL, SPLIT_VECTORS, SPLIT_ROWS);
}

/* The 1 to 11 columns behind the last whole panel (the packed ones behind them are zero). */
INLINE void remainder_chains(const float *a, const float *b, long k, const unsigned char *marks, int columns,
                             float *tile, long distance, const int vectors, const int height)
{
    enum { AT_ONCE = QUAD_VECTORS };
    const int step = vectors < AT_ONCE ? vectors : AT_ONCE;
    int least = columns, most = 0;
    ALIGNED float split[PANEL * TILE_ROWS];
    for (int g = 0; g < height / GROUP; g++) {
        int some = split_remainder(marks[g], columns);
        least = some < least ? some : least;
        most = some > most ? some : most;
    }
    for (int c = least; c < columns; c += QUAD)
        chains(a, b + c, k, tile + c * distance, distance, QUAD, vectors, height);
    for (int c = 0; c < most; c += QUAD) {
        float *to = c < least ? tile + c * distance : split + c * TILE_ROWS;
        UNROLL
        for (int v = 0; v < vectors; v += step)
            split_chains(a + v * LANES, b + c, k, to + v * LANES, c < least ? distance : TILE_ROWS, QUAD, step, height);
    }
    for (int g = 0; g < height / GROUP; g++)
        for (int c = least; c < split_remainder(marks[g], columns); c++)
            memcpy(tile + c * distance + g * GROUP, split + c * TILE_ROWS + g * GROUP, GROUP * sizeof(float));
}

static void tile_remainder(const float *a, const float *b, long k, const unsigned char *marks, int columns,
                           float *tile, long distance)
{
    remainder_chains(a, b, k, marks, columns, tile, distance, TILE_VECTORS, TILE_ROWS);
}

static void split_remainder_chains(const float *a, const float *b, long k, const unsigned char *marks, int columns,
                                   float *tile, long distance)
{
    remainder_chains(a, b, k, marks, columns, tile, distance, SPLIT_VECTORS, SPLIT_ROWS);
}
