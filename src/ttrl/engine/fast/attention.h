/* Attention of one new token over two segments of keys and values, for one key head of one row:

     the prompt, kept once for each question:   pk [D, P]   pv [P, D]   columns [from, P) are the prompt
     what the row has decoded so far:           sk [D, T]   sv [T, D]   columns [0, length)

   Keys have positions innermost, so that scores are sums of whole vectors; P and T are multiples of LANES
   and whole vectors are read, of which scores outside the ranges are left out. q, out: G heads of D. */

ALWAYS void NAME(scores)(const float *q, const TYPE *keys, ptrdiff_t stride, int64_t from, int64_t to,
                         const int D, float *restrict s) {
    const int64_t first = from / LANES * LANES, last = (to + LANES - 1) / LANES * LANES;
    for (int64_t t = first; t < last; t++) s[t] = 0.0f;
    int d = 0;
    for (; d + 4 <= D; d += 4) {
        const TYPE *k0 = keys + d * stride, *k1 = k0 + stride, *k2 = k1 + stride, *k3 = k2 + stride;
        const float q0 = q[d], q1 = q[d + 1], q2 = q[d + 2], q3 = q[d + 3];
        for (int64_t t = first; t < last; t++)
            s[t] += q0 * WIDEN(k0[t]) + q1 * WIDEN(k1[t]) + q2 * WIDEN(k2[t]) + q3 * WIDEN(k3[t]);
    }
    for (; d < D; d++)
        for (int64_t t = first; t < last; t++) s[t] += q[d] * WIDEN(keys[d * stride + t]);
}

ALWAYS void NAME(mix)(const float *p, const TYPE *values, int64_t from, int64_t to, const int D,
                      float *restrict acc) {
    for (int64_t t = from; t < to; t++) {
        const TYPE *v = values + t * D;
        const float weight = p[t];
        for (int d = 0; d < D; d++) acc[d] += weight * WIDEN(v[d]);
    }
}

ALWAYS void NAME(attend)(const int G, const int D, const float *q, TYPE *out, const TYPE *pk,
                         const TYPE *pv, int64_t from, int64_t P, const TYPE *sk, const TYPE *sv,
                         int64_t length, int64_t T, float *restrict s) {
    const float scale = 1.0f / sqrtf((float)D);
    for (int g = 0; g < G; g++, q += D, out += D) {
        float scaled[MAX_HEAD], acc[MAX_HEAD], top = -FLT_MAX, total = 0.0f;
        for (int d = 0; d < D; d++) scaled[d] = q[d] * scale, acc[d] = 0.0f;
        NAME(scores)(scaled, pk, P, from, P, D, s);
        NAME(scores)(scaled, sk, T, 0, length, D, s + P);
        const int64_t end = P + length;
        for (int64_t t = from; t < end; t++) top = s[t] > top ? s[t] : top;
        for (int64_t t = from; t < end; t++) {
            s[t] = exp_nonpositive(s[t] - top);
            total += s[t];
        }
        NAME(mix)(s, pv, from, P, D, acc);
        NAME(mix)(s + P, sv, 0, length, D, acc);
        for (int d = 0; d < D; d++) out[d] = NARROW(acc[d] / total);
    }
}

static void NAME(attend_any)(int G, int D, const float *q, TYPE *out, const TYPE *pk, const TYPE *pv,
                             int64_t from, int64_t P, const TYPE *sk, const TYPE *sv, int64_t length,
                             int64_t T, float *s) {
    switch (D) { /* loops of known length stay in registers */
        case 32: NAME(attend)(G, 32, q, out, pk, pv, from, P, sk, sv, length, T, s); break;
        case 64: NAME(attend)(G, 64, q, out, pk, pv, from, P, sk, sv, length, T, s); break;
        case 128: NAME(attend)(G, 128, q, out, pk, pv, from, P, sk, sv, length, T, s); break;
        default: NAME(attend)(G, D, q, out, pk, pv, from, P, sk, sv, length, T, s);
    }
}
