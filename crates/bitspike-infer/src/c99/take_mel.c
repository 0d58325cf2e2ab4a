/* ln x, x a normal number above 0, to about 2 units in the last place of the larger part. */
static float ln_of(float x) {
    uint32_t bits;
    int32_t e;
    float m, s, q, p;
    memcpy(&bits, &x, sizeof bits);
    e = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x007FFFFFu) | 0x3F800000u;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e6p+0f) {
        m = 0.5f * m;
        e++;
    }
    /* 2 artanh s, s of at most 0.1716 in magnitude. */
    s = (m - 1.0f) / (m + 1.0f);
    q = s * s;
    p = q * (1.0f / 9.0f) + (1.0f / 7.0f);
    p = p * q + (1.0f / 5.0f);
    p = p * q + (1.0f / 3.0f);
    p = p * q * (2.0f * s) + 2.0f * s;
    return (float)e * 0x1.62e43p-1f + ((float)e * -0x1.05c61p-29f + p);
}

/* Logarithms of the energies of a frame, a column of features. */
static void mel(@NAME@_stream_t *s, uint32_t channel) {
    float *work = s->scratch.transform;
    uint32_t n, m, k;
@SUM_START@    for (n = 0u; n < FRAME; n++) { work[n] = HANN[n] * s->pending[channel * FRAME + n]; }
    spectrum(work);
    for (m = 0u; m < MELS; m++) {
        const uint32_t row = channel * MELS + m;
        float energy = 0.0f;
        for (k = BAND_START[m]; k < BAND_START[m + 1u]; k++) {
            energy += BAND_WEIGHTS[k] * power(work, BAND_FIRST[m] + k - BAND_START[m]);
        }
@SUM_BAND@        if (energy < LEAST_ENERGY) { energy = LEAST_ENERGY; }
        s->features[row * COLUMNS + s->filled] = @KEPT@;
    }
@SUM_END@}

/* A frame of samples is a column. */
static void take(@NAME@_stream_t *s, const float *sample) {
    uint32_t c;
    if (s->leave_out > 0u) {
        s->leave_out--;
        return;
    }
    for (c = 0u; c < CHANNELS; c++) { s->pending[c * FRAME + s->held] = sample[c]; }
    s->held++;
    if (s->held < FRAME) { return; }
    if (s->skip > 0u) {
        s->skip--;
    } else {
        for (c = 0u; c < CHANNELS; c++) { mel(s, c); }
        advance(s);
    }
    slide(s->pending, CHANNELS, FRAME, FRAME_HOP, &s->held, &s->leave_out);
}

