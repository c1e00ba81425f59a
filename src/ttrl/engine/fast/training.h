/* What a training step does besides matrix products and attention, forward and backward. Included once for
   each element type. */

void NAME(norm_forward)(const float *x, const float *weight, float eps, int64_t R, int64_t H, TYPE *out,
                        float *inverse, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        const float *row = x + r * H;
        float total = 0.0f;
        for (int64_t i = 0; i < H; i++) total += row[i] * row[i];
        const float inv = inverse[r] = 1.0f / sqrtf(total / (float)H + eps);
        for (int64_t i = 0; i < H; i++) out[r * H + i] = NARROW(row[i] * inv * weight[i]);
    }
}

/* dweight: a row for each thread, to be added up   [threads, H] */
void NAME(norm_backward)(const TYPE *dout, const float *x, const float *weight, const float *inverse,
                         int64_t R, int64_t H, float *dx, float *dweight, int64_t threads) {
#pragma omp parallel num_threads((int)threads)
    {
        const int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
        float *dw = dweight + me * H;
        for (int64_t r = R * me / all; r < R * (me + 1) / all; r++) {
            const float *row = x + r * H, inv = inverse[r];
            const TYPE *d = dout + r * H;
            float inner = 0.0f;
            for (int64_t i = 0; i < H; i++) {
                inner += WIDEN(d[i]) * weight[i] * row[i];
                dw[i] += WIDEN(d[i]) * row[i] * inv;
            }
            inner *= inv * inv * inv / (float)H;
            for (int64_t i = 0; i < H; i++)
                dx[r * H + i] = WIDEN(d[i]) * weight[i] * inv - row[i] * inner;
        }
    }
}

/* out = silu(gate) up;   gate_up [R, 2 M], out [R, M] */
void NAME(gate_forward)(const TYPE *gate_up, int64_t R, int64_t M, TYPE *out, int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        const TYPE *gate = gate_up + 2 * r * M, *up = gate + M;
        for (int64_t i = 0; i < M; i++) out[r * M + i] = NARROW(silu(WIDEN(gate[i])) * WIDEN(up[i]));
    }
}

void NAME(gate_backward)(const TYPE *dout, const TYPE *gate_up, int64_t R, int64_t M, TYPE *dgate_up,
                         int64_t threads) {
#pragma omp parallel for num_threads((int)threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        const TYPE *gate = gate_up + 2 * r * M, *up = gate + M, *d = dout + r * M;
        TYPE *dgate = dgate_up + 2 * r * M, *dup = dgate + M;
        for (int64_t i = 0; i < M; i++) {
            const float g = WIDEN(gate[i]), u = WIDEN(up[i]), grad = WIDEN(d[i]);
            const float e = exp_nonpositive(g < 0.0f ? g : -g);
            const float sigmoid = (g < 0.0f ? e : 1.0f) / (1.0f + e);
            dgate[i] = NARROW(grad * u * sigmoid * (1.0f + g * (1.0f - sigmoid)));
            dup[i] = NARROW(grad * g * sigmoid);
        }
    }
}

/* Turns queries and keys by their positions, `sign` -1 back again. In place   [tokens, (H + 2 KV) D] */
void NAME(turn_all)(TYPE *qkv, const Trees *t, float sign) {
    const int64_t D = t->head, half_head = D / 2, turned = t->heads + t->kv_heads;
    const int64_t wide = (t->heads + 2 * t->kv_heads) * D;
#pragma omp parallel for num_threads((int)t->threads) schedule(static)
    for (int64_t i = 0; i < t->tokens; i++) {
        const float *c = t->cosine + t->position[i] * D, *s = t->sine + t->position[i] * D;
        for (int64_t h = 0; h < turned; h++) {
            TYPE *x = qkv + i * wide + h * D, *y = x + half_head;
            for (int64_t d = 0; d < half_head; d++) {
                const float a = WIDEN(x[d]), b = WIDEN(y[d]);
                /* Back: the transposed turn, whose signed sine is that of the other half. */
                const float low = sign > 0 ? s[d] : s[d + half_head];
                const float high = sign > 0 ? s[d + half_head] : s[d];
                x[d] = NARROW(a * c[d] + b * low);
                y[d] = NARROW(b * c[d + half_head] + a * high);
            }
        }
    }
}
