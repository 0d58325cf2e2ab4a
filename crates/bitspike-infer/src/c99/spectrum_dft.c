/* The energies of the first FRAME numbers, behind them: sum by sum, since FFT is no power of two. */
static void spectrum(float *x) {
    uint32_t k, n;
    for (k = 0u; k <= FFT / 2u; k++) {
        float re = 0.0f, im = 0.0f;
        uint32_t at = 0u;
        for (n = 0u; n < FRAME; n++) {
            re += x[n] * COSINES[at];
            im += x[n] * SINES[at];
            at += k;
            if (at >= FFT) { at -= FFT; }
        }
        x[FRAME + k] = re * re + im * im;
    }
}

static float power(const float *x, uint32_t k) { return x[FRAME + k]; }

