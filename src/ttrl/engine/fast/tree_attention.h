/* Attention over trees of tokens, forward and backward. Included once for each element type; within, all is
   float. */

static void NAME(gather)(const TYPE *rows, ptrdiff_t wide, const int64_t *seen, int64_t n, int64_t D,
                         float *out) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < D; d++) out[i * D + d] = WIDEN(rows[seen[i] * wide + d]);
}

/* scores become weights of queries first .. first + rows - 1 among n tokens, and their logarithms of sums. */
static void NAME(weigh)(float *scores, int64_t rows, int64_t first, int64_t n, float scale, float *lse,
                        ptrdiff_t lse_stride) {
    for (int64_t i = 0; i < rows; i++) {
        float *s = scores + i * n, top = -FLT_MAX, total = 0.0f;
        const int64_t end = first + i + 1;
        for (int64_t j = 0; j < end; j++) top = s[j] > top ? s[j] : top;
        for (int64_t j = 0; j < end; j++) {
            s[j] = exp_nonpositive(scale * (s[j] - top));
            total += s[j];
        }
        for (int64_t j = 0; j < end; j++) s[j] /= total;
        for (int64_t j = end; j < n; j++) s[j] = 0.0f;
        lse[i * lse_stride] = scale * top + logf(total);
    }
}

/* out [tokens, H D], lse [tokens, H];   work: threads x attention_work floats */
void NAME(attention_forward)(const TYPE *qkv, const Trees *t, TYPE *out, float *lse, float *work) {
    const int64_t D = t->head, H = t->heads, KV = t->kv_heads, wide = (H + 2 * KV) * D;
    const int64_t share = attention_work(t->longest, D), chains = t->tree[t->trees];
    const float scale = 1.0f / sqrtf((float)D);
#pragma omp parallel for collapse(2) num_threads((int)t->threads) schedule(dynamic, 4)
    for (int64_t c = 0; c < chains; c++)
        for (int64_t kv = 0; kv < KV; kv++) {
            float *k = work + omp_get_thread_num() * share, *v = k + t->longest * D;
            float *keys = v + t->longest * D, *values = keys + padded_to_panel(t->longest) * D;
            float *scores = values + padded_to_panel(D) * t->longest;
            float *queries = scores + QUERIES * t->longest, *mixed = queries + QUERIES * D;
            int64_t *seen = (int64_t *)(work + omp_get_thread_num() * share + share - 2 * t->longest);
            const int64_t n = seen_by(t, c, seen), count = t->first[c + 1] - t->first[c];
            NAME(gather)(qkv + (H + kv) * D, wide, seen, n, D, k);
            NAME(gather)(qkv + (H + KV + kv) * D, wide, seen, n, D, v);
            pack_floats(k, D, 1, n, D, keys);
            pack_floats(v, 1, D, D, n, values);
            for (int64_t h = kv * (H / KV); h < (kv + 1) * (H / KV); h++)
                for (int64_t q0 = 0; q0 < count; q0 += QUERIES) {
                    const int64_t rows = count - q0 < QUERIES ? count - q0 : QUERIES;
                    const int64_t at = t->first[c] + q0, before = n - count + q0;
                    NAME(gather)(qkv + h * D, wide, seen + before, rows, D, queries);
                    product_of_floats(queries, D, 1, rows, keys, n, D, scores, n, 0);
                    NAME(weigh)(scores, rows, before, n, scale, lse + at * H + h, H);
                    product_of_floats(scores, n, 1, rows, values, D, n, mixed, D, 0);
                    for (int64_t i = 0; i < rows; i++)
                        for (int64_t d = 0; d < D; d++)
                            out[((at + i) * H + h) * D + d] = NARROW(mixed[i * D + d]);
                }
        }
}

/* dqkv is written whole. sums: zeros, for the gradients of keys and values   [tokens, 2 KV D] */
void NAME(attention_backward)(const TYPE *dout, const TYPE *qkv, const TYPE *out, const float *lse,
                              const Trees *t, TYPE *dqkv, float *sums, float *work) {
    const int64_t D = t->head, H = t->heads, KV = t->kv_heads, wide = (H + 2 * KV) * D;
    const int64_t share = attention_work(t->longest, D), N = t->longest;
    const float scale = 1.0f / sqrtf((float)D);
#pragma omp parallel for collapse(2) num_threads((int)t->threads) schedule(dynamic, 1)
    for (int64_t tree = 0; tree < t->trees; tree++)
        for (int64_t kv = 0; kv < KV; kv++) {
            float *k = work + omp_get_thread_num() * share, *v = k + N * D;
            float *dk = v + N * D, *dv = dk + N * D;
            float *keys = dv + N * D, *values = keys + padded_to_panel(N) * D;
            float *turned = values + padded_to_panel(N) * D; /* keys, packed the other way */
            float *scores = turned + padded_to_panel(D) * N, *dscores = scores + QUERIES * N;
            float *queries = dscores + QUERIES * N, *grads = queries + QUERIES * D;
            float *dq = grads + QUERIES * D, *packed = dq + QUERIES * D;
            int64_t *seen = (int64_t *)(work + omp_get_thread_num() * share + share - 2 * N);
            for (int64_t c = t->tree[tree]; c < t->tree[tree + 1]; c++) {
                const int64_t n = seen_by(t, c, seen), count = t->first[c + 1] - t->first[c];
                NAME(gather)(qkv + (H + kv) * D, wide, seen, n, D, k);
                NAME(gather)(qkv + (H + KV + kv) * D, wide, seen, n, D, v);
                pack_floats(k, D, 1, n, D, keys);
                pack_floats(k, 1, D, D, n, turned);
                pack_floats(v, D, 1, n, D, values);
                memset(dk, 0, n * D * sizeof(float));
                memset(dv, 0, n * D * sizeof(float));
                for (int64_t h = kv * (H / KV); h < (kv + 1) * (H / KV); h++)
                    for (int64_t q0 = 0; q0 < count; q0 += QUERIES) {
                        const int64_t rows = count - q0 < QUERIES ? count - q0 : QUERIES;
                        const int64_t at = t->first[c] + q0, before = n - count + q0;
                        NAME(gather)(qkv + h * D, wide, seen + before, rows, D, queries);
                        NAME(gather)(dout + h * D, H * D, seen + before, rows, D, grads);
                        product_of_floats(queries, D, 1, rows, keys, n, D, scores, n, 0);
                        product_of_floats(grads, D, 1, rows, values, n, D, dscores, n, 0);
                        for (int64_t i = 0; i < rows; i++) {
                            float *s = scores + i * n, *ds = dscores + i * n, delta = 0.0f;
                            const float sum = lse[(at + i) * H + h];
                            const TYPE *o = out + ((at + i) * H + h) * D;
                            for (int64_t d = 0; d < D; d++) delta += grads[i * D + d] * WIDEN(o[d]);
                            for (int64_t j = 0; j <= before + i; j++) {
                                const float x = scale * s[j] - sum;
                                s[j] = exp_nonpositive(x < 0.0f ? x : 0.0f);
                                ds[j] = s[j] * (ds[j] - delta) * scale;
                            }
                            for (int64_t j = before + i + 1; j < n; j++) s[j] = ds[j] = 0.0f;
                        }
                        product_of_floats(dscores, n, 1, rows, turned, D, n, dq, D, 0);
                        pack_floats(queries, 1, D, D, rows, packed);
                        product_of_floats(dscores, 1, n, n, packed, D, rows, dk, D, 1);
                        pack_floats(grads, 1, D, D, rows, packed);
                        product_of_floats(scores, 1, n, n, packed, D, rows, dv, D, 1);
                        for (int64_t i = 0; i < rows; i++)
                            for (int64_t d = 0; d < D; d++)
                                dqkv[(at + i) * wide + h * D + d] = NARROW(dq[i * D + d]);
                    }
                for (int64_t i = 0; i < n; i++)
                    for (int64_t d = 0; d < D; d++) {
                        sums[(seen[i] * 2 * KV + kv) * D + d] += dk[i * D + d];
                        sums[(seen[i] * 2 * KV + KV + kv) * D + d] += dv[i * D + d];
                    }
            }
            for (int64_t i = t->first[t->tree[tree]]; i < t->first[t->tree[tree + 1]]; i++)
                for (int64_t d = 0; d < D; d++) {
                    TYPE *to = dqkv + i * wide + (H + kv) * D + d;
                    to[0] = NARROW(sums[(i * 2 * KV + kv) * D + d]);
                    to[KV * D] = NARROW(sums[(i * 2 * KV + KV + kv) * D + d]);
                }
        }
}
