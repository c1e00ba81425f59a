/* Matrix products with weights packed once for many of them. Included once for each element type.

   A matrix [N, K] is packed in panels of PANEL of its rows (0 beyond N), and in a panel by column, so that
   a product reads it from front to back. bfloat16 keeps pairs of columns together, as its dot products
   take them; an odd K is filled with 0. */

#define STEP ((int64_t)(4 / sizeof(TYPE))) /* columns that stand together */

int64_t NAME(packed_size)(int64_t N, int64_t K) {
    return (N + PANEL - 1) / PANEL * PANEL * ((K + STEP - 1) / STEP * STEP);
}

void NAME(pack)(const TYPE *w, TYPE *packed, int64_t N, int64_t K) {
    for (int64_t n0 = 0; n0 < N; n0 += PANEL)
        for (int64_t k0 = 0; k0 < K; k0 += STEP)
            for (int64_t n = n0; n < n0 + PANEL; n++)
                for (int64_t k = k0; k < k0 + STEP; k++)
                    *packed++ = n < N && k < K ? w[n * K + k] : 0;
}

/* One step of columns: elements of a are `stride` apart from row to row and `across` (floats only) from
   column to column. */
ALWAYS void NAME(add_step)(const int rows, const TYPE *restrict a, ptrdiff_t stride, ptrdiff_t across,
                           const TYPE *restrict panel, int64_t k, vec (*restrict acc)[2]) {
    panel += k * PANEL * STEP;
#ifdef IS_HALF
    (void)across;
    const ivec b0 = *(const iloose *)panel, b1 = *(const iloose *)(panel + PANEL);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        int32_t pair;
        memcpy(&pair, a + i * stride + 2 * k, 4);
#if defined(__AVX512BF16__)
        const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
        acc[i][0] = (vec)_mm512_dpbf16_ps((__m512)acc[i][0], both, (__m512bh)b0);
        acc[i][1] = (vec)_mm512_dpbf16_ps((__m512)acc[i][1], both, (__m512bh)b1);
#else
        const float low = widen_half((half)pair), high = widen_half((half)((uint32_t)pair >> 16));
        acc[i][0] += low * (vec)(b0 << 16) + high * (vec)(b0 & (int32_t)0xffff0000);
        acc[i][1] += low * (vec)(b1 << 16) + high * (vec)(b1 & (int32_t)0xffff0000);
#endif
    }
#else
    const vec b0 = *(const loose *)panel, b1 = *(const loose *)(panel + LANES);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        const float x = a[i * stride + k * across];
        acc[i][0] += x * b0;
        acc[i][1] += x * b1;
    }
#endif
}

/* sums[i][j] of `rows` rows of a with one panel over K / STEP steps. */
ALWAYS void NAME(tile)(const int rows, const TYPE *restrict a, ptrdiff_t stride, ptrdiff_t across,
                       const TYPE *restrict panel, int64_t steps, float (*restrict sums)[PANEL]) {
    /* Few rows are several sums each, or every product would wait for the one before. */
    const int ways = rows <= 2 ? 4 : rows <= 4 ? 2 : 1;
    vec acc[TILE * 2][2];
    for (int i = 0; i < rows * ways; i++) acc[i][0] = acc[i][1] = (vec){0};
    int64_t k = 0;
    for (; k + ways <= steps; k += ways)
#pragma GCC unroll 4
        for (int w = 0; w < ways; w++)
            NAME(add_step)(rows, a, stride, across, panel, k + w, acc + w * rows);
    for (; k < steps; k++) NAME(add_step)(rows, a, stride, across, panel, k, acc);
    for (int w = 1; w < ways; w++)
        for (int i = 0; i < rows; i++) {
            acc[i][0] += acc[w * rows + i][0];
            acc[i][1] += acc[w * rows + i][1];
        }
    for (int i = 0; i < rows; i++) {
        *(loose *)sums[i] = acc[i][0];
        *(loose *)(sums[i] + LANES) = acc[i][1];
    }
}

static void NAME(any_tile)(int rows, const TYPE *a, ptrdiff_t stride, ptrdiff_t across,
                           const TYPE *panel, int64_t steps, float (*sums)[PANEL]) {
#define CASE(n)                                               \
    case n:                                                   \
        NAME(tile)(n, a, stride, across, panel, steps, sums); \
        break;
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if TILE == 12
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#endif
    }
#undef CASE
}

/* out = a w^T + bias for rows [r0, r1) and panels [p0, p1). What `out` is depends on `how`:
   SET floats are written, ADD added to, GATE: a panel holds LANES gates and their LANES ups,
   silu(gate) up is written as TYPE; N counts gates and ups. */
enum NAME(how) { NAME(SET), NAME(ADD), NAME(GATE), NAME(NARROW) };

static void NAME(matmul)(const TYPE *a, ptrdiff_t stride, int64_t r0, int64_t r1,
                         const TYPE *packed, const float *bias, int64_t N, int64_t K, int64_t p0,
                         int64_t p1, enum NAME(how) how, void *out, ptrdiff_t out_stride) {
    const int64_t steps = (K + STEP - 1) / STEP, size = steps * STEP * PANEL;
    float sums[TILE][PANEL];
    for (int64_t p = p0; p < p1; p++) {
        const TYPE *panel = packed + p * size;
        const int64_t n0 = p * PANEL, columns = N - n0 < PANEL ? N - n0 : PANEL;
        for (int64_t r = r0; r < r1; r += TILE) {
            const int rows = r1 - r < TILE ? (int)(r1 - r) : TILE;
            NAME(any_tile)(rows, a + r * stride, stride, 1, panel, steps, sums);
            if (bias)
                for (int i = 0; i < rows; i++)
                    for (int64_t j = 0; j < columns; j++) sums[i][j] += bias[n0 + j];
            for (int i = 0; i < rows; i++) {
                float *floats = (float *)out + (r + i) * out_stride + n0;
                TYPE *types = (TYPE *)out + (r + i) * out_stride;
                if (how == NAME(SET))
                    for (int64_t j = 0; j < columns; j++) floats[j] = sums[i][j];
                else if (how == NAME(ADD))
                    for (int64_t j = 0; j < columns; j++) floats[j] += sums[i][j];
                else if (how == NAME(NARROW))
                    for (int64_t j = 0; j < columns; j++) types[n0 + j] = NARROW(sums[i][j]);
                else
                    for (int64_t j = 0; j < LANES; j++)
                        types[p * LANES + j] = NARROW(silu(sums[i][j]) * sums[i][LANES + j]);
            }
        }
    }
}
