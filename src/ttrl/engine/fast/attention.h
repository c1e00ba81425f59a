/* Attention of one new token over two segments of keys and values, for one key head of one row. Included
   once for each element type.

     the prompt, kept once for each question, and what the row has decoded so far

   Both stand as packed matrices (matmul.h): keys [positions, D] in panels of positions, values turned,
   [D, positions], in panels of D. So scores and their mix are the same products as everywhere. */

#define VALUES(D, positions) (padded_to_panel(D) * (positions))

ALWAYS void NAME(store)(const float *key, const float *value, int64_t position, int64_t D, int64_t room,
                        TYPE *keys, TYPE *values) {
    TYPE *k = keys + position / PANEL * PANEL * D + position % PANEL * STEP;
    for (int64_t d = 0; d < D; d += STEP, k += PANEL * STEP)
        for (int64_t i = 0; i < STEP; i++) k[i] = NARROW(key[d + i]);
    for (int64_t d0 = 0; d0 < D; d0 += PANEL, value += PANEL, values += PANEL * room) {
        const int64_t columns = D - d0 < PANEL ? D - d0 : PANEL;
        TYPE *v = values + position / STEP * STEP * PANEL;
        /* What follows in its step is read with weight 0 until it is written. */
        if (position % STEP == 0)
            for (int64_t d = 0; d < columns * STEP; d++) v[d] = 0;
        for (int64_t d = 0; d < columns; d++) v[d * STEP + position % STEP] = NARROW(value[d]);
    }
}

/* A prompt's keys and values [KV, width, D], of which the last `length` positions count, packed. */
void NAME(store_prompt)(const TYPE *keys, const TYPE *values, int64_t KV, int64_t width, int64_t D,
                        int64_t length, int64_t room, TYPE *packed_keys, TYPE *packed_values) {
    float key[MAX_HEAD], value[MAX_HEAD];
    for (int64_t h = 0; h < KV; h++)
        for (int64_t t = 0; t < length; t++) {
            const int64_t from = (h * width + width - length + t) * D;
            for (int64_t d = 0; d < D; d++) key[d] = WIDEN(keys[from + d]), value[d] = WIDEN(values[from + d]);
            NAME(store)(key, value, t, D, room, packed_keys + h * room * D,
                        packed_values + h * VALUES(D, room));
        }
}

typedef struct {
    const TYPE *keys, *values;
    int64_t length, room;
} NAME(Segment);

/* scores of G queries with a segment's positions, in whole panels; beyond its length they are -FLT_MAX. */
static void NAME(score)(int G, const TYPE *q, int64_t D, const NAME(Segment) * seg, float *scores,
                        int64_t stride) {
    float sums[TILE][PANEL];
    for (int64_t t = 0; t < seg->length; t += PANEL) {
        NAME(any_tile)(G, q, D, 1, seg->keys + t * D, D / STEP, sums);
        const int32_t left = (int32_t)(seg->length - t);
        for (int g = 0; g < G; g++)
            for (int32_t j = 0; j < PANEL; j++)
                scores[g * stride + t + j] = j < left ? sums[g][j] : -FLT_MAX;
    }
}

/* Loops over whole panels have a known length, so that none of it is left to single numbers. */
ALWAYS float NAME(largest_score)(const float *s, int64_t length, float top) {
    float tops[PANEL];
    for (int j = 0; j < PANEL; j++) tops[j] = top;
    for (int64_t t = 0; t < length; t += PANEL)
        for (int j = 0; j < PANEL; j++) tops[j] = s[t + j] > tops[j] ? s[t + j] : tops[j];
    for (int j = 0; j < PANEL; j++) top = tops[j] > top ? tops[j] : top;
    return top;
}

ALWAYS float NAME(weigh_scores)(const float *s, int64_t length, float top, TYPE *weights) {
    float totals[PANEL] = {0}, total = 0.0f;
    for (int64_t t = 0; t < length; t += PANEL)
        for (int j = 0; j < PANEL; j++) {
            const float e = exp_nonpositive(s[t + j] - top);
            totals[j] += e;
            weights[t + j] = NARROW(e);
        }
    for (int j = 0; j < PANEL; j++) total += totals[j];
    return total;
}

/* q: G <= TILE queries of D, already scaled. out: G heads of D.
   scores, weights: G rows of the two rooms together. */
static void NAME(attend)(int G, const TYPE *q, int64_t D, const NAME(Segment) seg[2], float *scores,
                         TYPE *weights, TYPE *out) {
    const int64_t stride = seg[0].room + seg[1].room;
    float sums[TILE][PANEL], totals[TILE];
    NAME(score)(G, q, D, seg, scores, stride);
    NAME(score)(G, q, D, seg + 1, scores + seg[0].room, stride);
    for (int g = 0; g < G; g++) {
        const float *first = scores + g * stride, *second = first + seg[0].room;
        float top = NAME(largest_score)(first, seg[0].length, -FLT_MAX);
        top = NAME(largest_score)(second, seg[1].length, top);
        TYPE *w = weights + g * stride;
        totals[g] = NAME(weigh_scores)(first, seg[0].length, top, w) +
                    NAME(weigh_scores)(second, seg[1].length, top, w + seg[0].room);
    }
    for (int64_t d0 = 0; d0 < D; d0 += PANEL) {
        const int64_t columns = D - d0 < PANEL ? D - d0 : PANEL;
        float both[TILE][PANEL] = {{0}};
        for (int i = 0; i < 2; i++) {
            NAME(any_tile)(G, weights + i * seg[0].room, stride, 1, seg[i].values + d0 * seg[i].room,
                           (seg[i].length + STEP - 1) / STEP, sums);
            for (int g = 0; g < G; g++)
                for (int j = 0; j < PANEL; j++) both[g][j] += sums[g][j];
        }
        for (int g = 0; g < G; g++) {
            TYPE narrow[PANEL];
            for (int j = 0; j < PANEL; j++) narrow[j] = NARROW(both[g][j] / totals[g]);
            memcpy(out + g * D + d0, narrow, columns * sizeof(TYPE));
        }
    }
}
