/* Layer by layer, all steps of a neuron in a register. */
int @NAME@_run(uint32_t *arena, const float *input, float *logits) {
    enum { EVEN_WORDS = @EVEN@, ODD_WORDS = @ODD@, HEAD_STEP = @HEAD_STEP@ };
    uint32_t *even = arena, *odd = arena + EVEN_WORDS, *scratch = odd + ODD_WORDS, *total = scratch;
    const uint32_t *last = BLOCK_COUNT % 2u == 0u ? odd : even;
    uint32_t i, t;
    if (!finite(input, @UPPER@_INPUTS)) { return @UPPER@_NOT_FINITE; }
    for (i = 0u; i < BLOCK_COUNT; i++) {
        block(&BLOCKS[i], i % 2u == 0u ? odd : even, input, i % 2u == 0u ? even : odd, scratch);
    }
    memset(total, 0, CLASSES * sizeof *total);
    for (t = 0u; t < STEPS; t++) { head(last + t * HEAD_STEP, total, total + CLASSES); }
    finish(total, logits);
    return @UPPER@_OK;
}
