/* Step by step: between layers are currents, and potentials are kept. */
int @NAME@_run(uint32_t *arena, const float *input, float *logits) {
    enum { POTENTIALS = @POTENTIALS@, EVEN_WORDS = @EVEN@, ODD_WORDS = @ODD@ };
    uint32_t *total = arena, *potentials = total + CLASSES, *even = potentials + POTENTIALS;
    uint32_t *odd = even + EVEN_WORDS, *scratch = odd + ODD_WORDS;
    uint32_t t, i;
    if (!finite(input, @UPPER@_INPUTS)) { return @UPPER@_NOT_FINITE; }
    memset(arena, 0, (CLASSES + POTENTIALS) * sizeof *arena);
    for (t = 0u; t < STEPS; t++) {
        uint32_t *v = potentials;
        for (i = 0u; i < BLOCK_COUNT; i++) {
            const block_t *b = &BLOCKS[i];
            const uint32_t *x = i % 2u == 0u ? odd : even;
            uint32_t *to = i % 2u == 0u ? even : odd;
            if (i == 0u) {
                stem(b, input + (@SEQUENCE@ ? t * FRAME : 0u), to);
                continue;
            }
            if (b->signs == 0) {
                neurons(b, x, v, to);
            } else {
                residual(b, &SHORTCUTS[i], t, x, to, v, scratch);
            }
            v += b->rows * b->columns * b->c_in;
        }
        head(BLOCK_COUNT % 2u == 0u ? odd : even, total, scratch);
    }
    finish(total, logits);
    return @UPPER@_OK;
}
