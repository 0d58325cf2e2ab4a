typedef @SLOPE_TYPE@ slope_t;
typedef @HEAD_TYPE@ head_weight_t;

typedef struct {
    const uint32_t *signs;    /* [channel out][ky][kx][word], or null in the first layer */
    const float *weights;     /* first layer: [ky][kx][channel in][channel out] */
    const float *real_slope;  /* first layer: [channel out] */
    const float *real_offset; /* first layer: [channel out] */
    const slope_t *slope;     /* A, [channel out] or [T][channel out] */
    const int32_t *offset;    /* B, likewise */
    const int32_t *alpha;     /* [T] or [T][channel out], or null */
    uint32_t rows, columns, c_in, planes;     /* what comes in; planes 0: a frame */
    uint32_t c_out, kernel_rows, kernel, stride, padding_rows, padding;
    uint32_t pool, gate, alpha_channels, inside, hard;
    float real_decay, real_threshold;         /* first layer */
    uint32_t hard_reset;
    uint32_t shift, affine_steps;             /* bits after the point; rows of slope and offset */
    int32_t decay, threshold;
} block_t;
