typedef struct {
    const uint32_t *signs;  /* [channel out][ky][kx][word], or null */
    const float *weights;   /* [ky][kx][channel in][channel out], or null */
    const float *slope;     /* [channel out] */
    const float *offset;    /* [channel out] */
    const float *alpha;     /* [T] or [T][channel out], or null */
    uint32_t rows, columns, c_in, planes;     /* what comes in; planes 0: a frame */
    uint32_t c_out, kernel_rows, kernel, stride, padding_rows, padding;
    uint32_t pool, gate, alpha_channels, inside, hard;
    float decay, threshold;
    uint32_t hard_reset;
} block_t;
