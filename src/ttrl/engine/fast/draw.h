/* Tokens from logits: temperature, top-k, top-p and one uniform number per token, no sort of a vocabulary. */

#define BLOCK 256  /* entries whose sum is taken at once */
#define BINS 2048  /* of a histogram of positive floats by exponent and three bits more */
#define BIN(x) ((bits_of(x) & 0x7fffffff) >> 20)

ALWAYS uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

typedef struct {
    float value;
    int32_t index;
} Entry;

static int likelier(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Zeroes all but the largest entries: as many as `wanted` asks for, counted or by mass; equal ones go by
   index. One histogram finds the bin where the set ends, and only that bin is sorted.
   `ties`: entries equal to the last one stay too. */
static void keep_largest(float *e, int64_t V, double wanted, int by_mass, int ties, double *bins,
                         Entry *entries) {
    memset(bins, 0, BINS * sizeof(double));
    for (int64_t i = 0; i < V; i++) bins[BIN(e[i])] += by_mass ? (double)e[i] : 1.0;
    double reached = 0.0;
    int64_t bin = BINS - 1;
    while (bin > 0 && reached + bins[bin] < wanted) reached += bins[bin--];
    int64_t count = 0;
    for (int64_t i = 0; i < V; i++)
        if (BIN(e[i]) == bin) entries[count++] = (Entry){e[i], (int32_t)i};
    qsort(entries, (size_t)count, sizeof(Entry), likelier);
    int64_t kept = 0;
    while (kept < count && reached < wanted) {
        reached += by_mass ? (double)entries[kept].value : 1.0;
        kept++;
    }
    if (ties)
        while (kept > 0 && kept < count && entries[kept].value == entries[kept - 1].value) kept++;
    for (int64_t i = 0; i < V; i++)
        if (BIN(e[i]) < bin) e[i] = 0.0f;
    for (int64_t i = kept; i < count; i++) e[entries[i].index] = 0.0f;
}

ALWAYS float largest(const float *x, int64_t V) {
    float top = -FLT_MAX;
    for (int64_t i = 0; i < V; i++) top = x[i] > top ? x[i] : top;
    return top;
}

/* e = exp(scale (logits - top)); sums[i] of each block of BLOCK entries. Returns the total. */
static double exponentials(const float *logits, int64_t V, float scale, float top, float *e,
                           double *sums) {
    double total = 0.0;
    for (int64_t i = 0; i < V; i += BLOCK) {
        const int64_t end = i + BLOCK < V ? i + BLOCK : V;
        float sum = 0.0f;
        for (int64_t j = i; j < end; j++) {
            e[j] = exp_nonpositive(scale * (logits[j] - top));
            sum += e[j];
        }
        total += sums[i / BLOCK] = (double)sum;
    }
    return total;
}

static double block_sums(const float *e, int64_t V, double *sums) {
    double total = 0.0;
    for (int64_t i = 0; i < V; i += BLOCK) {
        float sum = 0.0f;
        for (int64_t j = i; j < (i + BLOCK < V ? i + BLOCK : V); j++) sum += e[j];
        total += sums[i / BLOCK] = (double)sum;
    }
    return total;
}

/* The first token whose cumulative mass is above `wanted`, or the last with any. */
static int64_t find(const float *e, int64_t V, const double *sums, double wanted) {
    const int64_t blocks = (V + BLOCK - 1) / BLOCK;
    int64_t block = 0;
    while (block < blocks - 1 && wanted >= sums[block]) wanted -= sums[block++];
    const int64_t end = (block + 1) * BLOCK < V ? (block + 1) * BLOCK : V;
    /* The block's sum was taken in floats; what they rounded up must not fall to its last token. */
    double exact = 0.0, sum = 0.0;
    for (int64_t i = block * BLOCK; i < end; i++) exact += e[i];
    if (sums[block] > 0.0) wanted *= exact / sums[block];
    for (int64_t i = block * BLOCK; i < end; i++) {
        sum += e[i];
        if (sum > wanted) return i;
    }
    int64_t last = end - 1;
    while (last > 0 && e[last] == 0.0f) last--;
    return last;
}

/* Doubles that a thread needs: bins, sums of blocks, exponentials, entries of one bin. */
int64_t draw_work(int64_t V) { return 2 * V + V / BLOCK + 1 + BINS; }

/* For each sample, from its row: a token, its log-probability before top-k and top-p, and the entropy of
   what was drawn from. row_of is ascending; temperature 0 takes the likeliest token and scale 1.
   work: threads x draw_work doubles. */
void draw(const float *logits, int64_t V, const double *uniform, const int64_t *row_of,
          int64_t S, float scale, int64_t greedy, int64_t top_k, double top_p, double *work,
          int64_t threads, int64_t *tokens, float *logprobs, float *entropy) {
    const int64_t share = draw_work(V);
#pragma omp parallel num_threads((int)threads)
    {
        const int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
        double *bins = work + me * share, *sums = bins + BINS;
        float *e = (float *)(sums + V / BLOCK + 1);
        Entry *entries = (Entry *)((double *)(sums + V / BLOCK + 1) + (V + 1) / 2);
        int64_t s = S * me / all;
        const int64_t stop = S * (me + 1) / all;
        while (s < stop) {
            const int64_t row = row_of[s];
            const float *x = logits + row * V;
            const float top = largest(x, V);
            double total = exponentials(x, V, scale, top, e, sums);
            const double log_total = log(total);
            float spread = 0.0f;
            if (!isfinite(log_total)) { /* the caller refuses these log-probabilities */
                for (; s < stop && row_of[s] == row; s++) {
                    tokens[s] = 0;
                    logprobs[s] = entropy[s] = NAN;
                }
                continue;
            }
            if (greedy) {
                int64_t best = 0;
                while (best < V - 1 && x[best] != top) best++;
                for (; s < stop && row_of[s] == row; s++) tokens[s] = best, entropy[s] = 0.0f;
            } else {
                if (top_k > 0 && top_k < V) keep_largest(e, V, (double)top_k, 0, 1, bins, entries);
                if (top_k > 0 && top_k < V) total = block_sums(e, V, sums);
                if (top_p < 1.0) keep_largest(e, V, top_p * total, 1, 0, bins, entries);
                if (top_p < 1.0) total = block_sums(e, V, sums);
                double weighted = 0.0;
                for (int64_t i = 0; i < V; i += BLOCK) {
                    float sum = 0.0f;
                    for (int64_t j = i; j < (i + BLOCK < V ? i + BLOCK : V); j++)
                        sum += e[j] > 0.0f ? e[j] * (scale * (x[j] - top)) : 0.0f;
                    weighted += (double)sum;
                }
                spread = (float)(log(total) - weighted / total);
                for (; s < stop && row_of[s] == row; s++) {
                    tokens[s] = find(e, V, sums, uniform[s] * total);
                    entropy[s] = spread;
                }
            }
            for (int64_t i = s - 1; i >= S * me / all && row_of[i] == row; i--)
                logprobs[i] = scale * (x[tokens[i]] - top) - (float)log_total;
        }
    }
}
