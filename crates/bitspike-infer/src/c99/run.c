/* Layer by layer, all steps of a neuron in a register. */
void @NAME@_run(uint32_t *arena, const float *input, float *logits) {
    enum { EVEN_WORDS = @EVEN@, ODD_WORDS = @ODD@, HEAD_STEP = @HEAD_STEP@ };
    uint32_t *even = arena, *odd = arena + EVEN_WORDS, *scratch = odd + ODD_WORDS, *total = scratch;
    const uint32_t *last = BLOCK_COUNT % 2u == 0u ? odd : even;
    uint32_t i, t, o;
    for (i = 0u; i < BLOCK_COUNT; i++) {
        block(&BLOCKS[i], i % 2u == 0u ? odd : even, input, i % 2u == 0u ? even : odd, scratch);
    }
    for (o = 0u; o < CLASSES; o++) { total[o] = bits_of(0.0f); }
    for (t = 0u; t < STEPS; t++) { head(last + t * HEAD_STEP, total, total + CLASSES); }
    for (o = 0u; o < CLASSES; o++) { logits[o] = float_of(total[o]) / (float)STEPS; }
}
