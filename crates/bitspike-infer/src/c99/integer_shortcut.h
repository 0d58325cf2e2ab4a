typedef struct {
    const int16_t *weights; /* [channel in][channel out], or null: x itself */
    const int32_t *offset;  /* [channel out] */
    uint32_t shift;
} shortcut_t;
