/* Trees of tokens, and small products of floats for attention over them.

   Tokens of several trees stand one after another, parents before children. A chain is a run of tokens
   each of which follows the one before; its first token follows `parent`, or nothing. A token attends to
   itself, to its chain before it, to the chain of the parent up to the parent, and so on to the root. */

#define QUERIES 48 /* of a chain that are done at once */

typedef struct {
    int64_t tokens, heads, kv_heads, head, trees;
    const int64_t *tree;                                     /* first chain of each tree, and the end   [trees + 1] */
    const int64_t *first;                                    /* first token of each chain, and the end   [chains + 1] */
    const int64_t *parent, *chain_of;                        /* [chains], of a token: its chain   [tokens] */
    int64_t longest, threads;                                /* tokens from a root to a leaf */
    const float *cosine, *sine;                              /* by position   [.., head] */
    const int64_t *position;                                 /* [tokens] */
} Trees;

/* out[i, j] (+)= sum_k a[i, k] w[j, k] with w packed; a[i, k] at i * stride + k * across. */
static void product_of_floats(const float *a, ptrdiff_t stride, ptrdiff_t across, int64_t rows,
                              const float *packed, int64_t N, int64_t K, float *out,
                              ptrdiff_t out_stride, int add) {
    float sums[TILE][PANEL];
    for (int64_t n0 = 0; n0 < N; n0 += PANEL, packed += K * PANEL) {
        const int64_t columns = N - n0 < PANEL ? N - n0 : PANEL;
        for (int64_t r = 0; r < rows; r += TILE) {
            const int count = rows - r < TILE ? (int)(rows - r) : TILE;
            any_tile_float(count, a + r * stride, stride, across, packed, K, sums);
            for (int i = 0; i < count; i++) {
                float *row = out + (r + i) * out_stride + n0;
                for (int64_t j = 0; j < columns; j++) row[j] = add ? row[j] + sums[i][j] : sums[i][j];
            }
        }
    }
}

/* w[j, k] at j * down + k * across. */
static void pack_floats(const float *w, ptrdiff_t down, ptrdiff_t across, int64_t N, int64_t K,
                        float *packed) {
    for (int64_t n0 = 0; n0 < N; n0 += PANEL)
        for (int64_t k = 0; k < K; k++, packed += PANEL) {
            const float *from = w + n0 * down + k * across;
            if (down == 1 && n0 + PANEL <= N)
                memcpy(packed, from, PANEL * sizeof(float));
            else
                for (int64_t j = 0; j < PANEL; j++) packed[j] = n0 + j < N ? from[j * down] : 0.0f;
        }
}

/* Tokens that the last one of a chain sees, in order: ancestors, then the chain. Returns how many. */
static int64_t seen_by(const Trees *t, int64_t chain, int64_t *seen) {
    int64_t count = t->first[chain + 1] - t->first[chain], total = count;
    for (int64_t p = t->parent[chain]; p >= 0; p = t->parent[t->chain_of[p]])
        total += p + 1 - t->first[t->chain_of[p]];
    int64_t end = total - count;
    for (int64_t i = 0; i < count; i++) seen[end + i] = t->first[chain] + i;
    for (int64_t p = t->parent[chain]; p >= 0; p = t->parent[t->chain_of[p]])
        for (int64_t i = p; i >= t->first[t->chain_of[p]]; i--) seen[--end] = i;
    return total;
}

/* Floats that a thread needs: keys, values and their gradients twice, scores and theirs, queries. */
int64_t attention_work(int64_t longest, int64_t D) {
    const int64_t n = padded_to_panel(longest), d = padded_to_panel(D);
    return 4 * n * d + 4 * n * d + 2 * QUERIES * n + 4 * QUERIES * d + 2 * d * padded_to_panel(QUERIES) +
           2 * longest;
}
