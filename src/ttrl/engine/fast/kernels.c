/* Native kernels for the Llama family: a decoding step, the draw of tokens, and the parts of a training step
   that are no matrix products. */

#include "numbers.h"

#define MAX_HEAD 256

typedef struct {
    const void *weight; /* packed; with an adapter its second half stands beside as further columns */
    const float *bias;
    const void *down; /* the adapter's first half, packed */
    int64_t rank;
} Linear;

typedef struct {
    const float *input_norm, *query_norm, *key_norm, *mlp_norm;
    Linear qkv, output, gate_up, down;
    const void *prompt_keys, *prompt_values;
    void *keys, *values;
} Layer;

typedef struct {
    int64_t hidden, heads, kv_heads, head, mlp, gate_up, layers, vocabulary;
    double eps;
    const void *embedding;
    const float *norm, *cosine, *sine;
    Linear head_matrix;
    Layer *layer;
} Model;

typedef struct {
    int64_t rows, threads, share_columns;
    const int64_t *tokens, *position, *owner, *length, *prompt_length;
    int64_t prompt_room, room, stride;
    float *hidden, *qkv, *scores, *logits;
    void *x, *y;
} Batch;

int64_t lanes(void) { return LANES; }
int64_t panel(void) { return PANEL; }
int64_t tile_rows(void) { return TILE; }

#define NAME_FLOAT(name) name##_float

#define TYPE float
#define NAME(name) name##_float
#define WIDEN widen_float
#define NARROW narrow_float
#include "matmul.h"
#include "trees.h"
#include "attention.h"
#include "decode.h"
#include "training.h"
#include "tree_attention.h"
#undef TYPE
#undef NAME
#undef WIDEN
#undef NARROW
#undef SYNC
#undef STEP

#define IS_HALF
#define TYPE half
#define NAME(name) name##_half
#define WIDEN widen_half
#define NARROW narrow_half
#include "matmul.h"
#include "attention.h"
#include "decode.h"
#include "training.h"
#include "tree_attention.h"

#include "draw.h"
