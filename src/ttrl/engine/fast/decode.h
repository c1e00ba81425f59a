/* One new token for each row through all layers. Included once for each element type.

   Rows do not need each other, so each thread takes its own rows through the whole model without waiting
   for others. With few rows it is the weights that take the time: then threads share the columns of each
   product (`share_columns`), and each weight is read once. Sums and the residual stream are floats. */

ALWAYS void NAME(normalise)(const float *x, const float *weight, float eps, int64_t n, TYPE *out) {
    float total = 0.0f;
    for (int64_t i = 0; i < n; i++) total += x[i] * x[i];
    const float inverse = 1.0f / sqrtf(total / (float)n + eps);
    for (int64_t i = 0; i < n; i++) out[i] = NARROW(x[i] * inverse * weight[i]);
}

/* A head, normalised if `weight` is there, then turned by its position's angles. */
ALWAYS void NAME(turn)(float *x, const float *weight, float eps, int64_t n, const float *cosine,
                       const float *sine) {
    if (weight) NAME_FLOAT(normalise)(x, weight, eps, n, x);
    for (int64_t i = 0; i < n / 2; i++) {
        const float a = x[i], b = x[i + n / 2];
        x[i] = a * cosine[i] + b * sine[i];
        x[i + n / 2] = b * cosine[i + n / 2] + a * sine[i + n / 2];
    }
}

typedef struct {
    int64_t r0, r1; /* this thread's rows */
    int64_t R, thread, threads;
    int shared; /* the columns of products */
} NAME(Part);

#define SYNC(part)                  \
    if ((part)->shared) {           \
        _Pragma("omp barrier")      \
    }

/* out = a w^T for every row; a has room for what the adapter's first half makes of it. */
static void NAME(product)(const Linear *linear, TYPE *a, ptrdiff_t stride, int64_t N, int64_t K,
                          enum NAME(how) how, void *out, ptrdiff_t out_stride,
                          const NAME(Part) * part) {
    if (linear->rank) {
        NAME(matmul)(a, stride, part->r0, part->r1, linear->down, NULL, linear->rank, K, 0,
                     (linear->rank + PANEL - 1) / PANEL, NAME(NARROW), a + K, stride);
        SYNC(part)
    }
    const int64_t panels = (N + PANEL - 1) / PANEL;
    const int64_t r0 = part->shared ? 0 : part->r0, r1 = part->shared ? part->R : part->r1;
    const int64_t p0 = part->shared ? panels * part->thread / part->threads : 0;
    const int64_t p1 = part->shared ? panels * (part->thread + 1) / part->threads : panels;
    NAME(matmul)(a, stride, r0, r1, linear->weight, linear->bias, N, K + linear->rank, p0, p1, how, out,
                 out_stride);
    SYNC(part)
}

static void NAME(attention)(const Model *m, const Layer *layer, const Batch *b, int64_t r, float *qkv,
                            TYPE *out, float *scores) {
    const int64_t D = m->head, KV = m->kv_heads, H = m->heads, G = H / KV;
    const int64_t column = b->length[r], prompt = b->owner[r] * KV;
    const float *cosine = m->cosine + b->position[r] * D, *sine = m->sine + b->position[r] * D;
    const float scale = 1.0f / sqrtf((float)D);
    TYPE *weights = (TYPE *)(scores + TILE * (b->prompt_room + b->room)), queries[TILE * MAX_HEAD];
    for (int64_t h = 0; h < H; h++)
        NAME(turn)(qkv + h * D, layer->query_norm, m->eps, D, cosine, sine);
    for (int64_t h = 0; h < KV; h++)
        NAME(turn)(qkv + (H + h) * D, layer->key_norm, m->eps, D, cosine, sine);
    for (int64_t h = 0; h < KV; h++) {
        const float *key = qkv + (H + h) * D;
        TYPE *keys = (TYPE *)layer->keys + (r * KV + h) * D * b->room;
        TYPE *values = (TYPE *)layer->values + (r * KV + h) * VALUES(D, b->room);
        NAME(store)(key, key + KV * D, column, D, b->room, keys, values);
        const NAME(Segment) segments[2] = {
            {(const TYPE *)layer->prompt_keys + (prompt + h) * D * b->prompt_room,
             (const TYPE *)layer->prompt_values + (prompt + h) * VALUES(D, b->prompt_room),
             b->prompt_length[b->owner[r]], b->prompt_room},
            {keys, values, column + 1, b->room},
        };
        for (int64_t g = 0; g < G; g += TILE) {
            const int64_t n = G - g < TILE ? G - g : TILE, at = (h * G + g) * D;
            for (int64_t i = 0; i < n * D; i++) queries[i] = NARROW(qkv[at + i] * scale);
            NAME(attend)((int)n, queries, D, segments, scores, weights, out + at);
        }
    }
}

void NAME(step)(const Model *m, const Batch *b) {
    const int64_t H = m->hidden, D = m->head, wide = (m->heads + 2 * m->kv_heads) * D;
    TYPE *x = b->x, *y = b->y;
    const ptrdiff_t stride = b->stride;
#pragma omp parallel num_threads((int)b->threads)
    {
        const int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
        const int64_t tiles = (b->rows + TILE - 1) / TILE;
        NAME(Part) part = {tiles * me / all * TILE, tiles * (me + 1) / all * TILE, b->rows, me, all,
                           b->share_columns && all > 1};
        if (part.r1 > b->rows) part.r1 = b->rows;
        float *scores = b->scores + me * 2 * TILE * (b->prompt_room + b->room);
        for (int64_t r = part.r0; r < part.r1; r++)
            for (int64_t i = 0; i < H; i++)
                b->hidden[r * H + i] = WIDEN(((const TYPE *)m->embedding)[b->tokens[r] * H + i]);
        for (int64_t l = 0; l < m->layers; l++) {
            const Layer *layer = m->layer + l;
            for (int64_t r = part.r0; r < part.r1; r++)
                NAME(normalise)(b->hidden + r * H, layer->input_norm, m->eps, H, x + r * stride);
            SYNC(&part)
            NAME(product)(&layer->qkv, x, stride, wide, H, NAME(SET), b->qkv, wide, &part);
            for (int64_t r = part.r0; r < part.r1; r++)
                NAME(attention)(m, layer, b, r, b->qkv + r * wide, y + r * stride, scores);
            SYNC(&part)
            NAME(product)(&layer->output, y, stride, H, m->heads * D, NAME(ADD), b->hidden, H, &part);
            for (int64_t r = part.r0; r < part.r1; r++)
                NAME(normalise)(b->hidden + r * H, layer->mlp_norm, m->eps, H, x + r * stride);
            SYNC(&part)
            NAME(product)(&layer->gate_up, x, stride, m->gate_up, H, NAME(GATE), y, stride, &part);
            NAME(product)(&layer->down, y, stride, H, m->mlp, NAME(ADD), b->hidden, H, &part);
        }
        for (int64_t r = part.r0; r < part.r1; r++)
            NAME(normalise)(b->hidden + r * H, m->norm, m->eps, H, x + r * stride);
        SYNC(&part)
        NAME(product)(&m->head_matrix, x, stride, m->vocabulary, H, NAME(SET), b->logits, m->vocabulary,
                      &part);
    }
}

/* Row targets[i] becomes a copy of row sources[i] in every layer. */
void NAME(copy_rows)(const Model *m, const int64_t *sources, const int64_t *targets, int64_t count,
                     const int64_t *length, int64_t room) {
    const int64_t D = m->head, KV = m->kv_heads;
    for (int64_t i = 0; i < count * m->layers; i++) {
        const Layer *layer = m->layer + i / count;
        const int64_t from = sources[i % count] * KV, to = targets[i % count] * KV;
        const int64_t keys = D * room, values = VALUES(D, room), panel = room * PANEL;
        const int64_t used = length[sources[i % count]];
        for (int64_t h = 0; h < KV; h++) {
            memcpy((TYPE *)layer->keys + (to + h) * keys, (TYPE *)layer->keys + (from + h) * keys,
                   padded_to_panel(used) * D * sizeof(TYPE));
            for (int64_t at = 0; at < values; at += panel)
                memcpy((TYPE *)layer->values + (to + h) * values + at,
                       (TYPE *)layer->values + (from + h) * values + at,
                       (used + STEP - 1) / STEP * STEP * PANEL * sizeof(TYPE));
        }
    }
}
