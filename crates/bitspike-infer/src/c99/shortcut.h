typedef struct {
    const float *weights; /* [channel in][channel out], or null: x itself */
    const float *slope;   /* [channel out] */
    const float *offset;  /* [channel out] */
} shortcut_t;
