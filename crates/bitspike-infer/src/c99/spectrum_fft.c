static float cos_of(uint32_t i) { return COSINES[i]; }
static float sin_of(uint32_t i) { return COSINES[i <= FFT / 4u ? FFT / 4u - i : i - FFT / 4u]; }

/* The energies of the first FRAME numbers, zeros behind them, in place: an FFT of half the size, the even numbers as real and the
 * odd ones as imaginary parts, and its split. */
static void spectrum(float *z) {
    enum { HALF = FFT / 2 };
    uint32_t i, j, k, length;
    for (i = FRAME; i < FFT; i++) { z[i] = 0.0f; }
    for (i = 1u, j = 0u; i < HALF; i++) {
        uint32_t bit = HALF / 2u;
        while ((j & bit) != 0u) {
            j ^= bit;
            bit >>= 1;
        }
        j ^= bit;
        if (i < j) {
            const float re = z[2u * i], im = z[2u * i + 1u];
            z[2u * i] = z[2u * j];
            z[2u * i + 1u] = z[2u * j + 1u];
            z[2u * j] = re;
            z[2u * j + 1u] = im;
        }
    }
    for (length = 2u; length <= HALF; length *= 2u) {
        const uint32_t step = FFT / length;
        for (k = 0u; k < length / 2u; k++) {
            const float c = cos_of(k * step), s = sin_of(k * step);
            for (i = k; i < HALF; i += length) {
                float *a = z + 2u * i, *b = a + length;
                const float re = b[0] * c + b[1] * s, im = b[1] * c - b[0] * s;
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] = a[0] + re;
                a[1] = a[1] + im;
            }
        }
    }
    for (k = 0u; k <= HALF / 2u; k++) {
        const uint32_t other = (HALF - k) % HALF;
        const float ar = z[2u * k], ai = z[2u * k + 1u], br = z[2u * other], bi = z[2u * other + 1u];
        const float er = 0.5f * (ar + br), ei = 0.5f * (ai - bi), dr = 0.5f * (ar - br), di = 0.5f * (ai + bi);
        const float c = cos_of(k), s = sin_of(k), turned_r = di * c - dr * s, turned_i = dr * c + di * s;
        const float xr = er + turned_r, xi = ei - turned_i, yr = er - turned_r, yi = ei + turned_i;
        z[2u * k] = xr * xr + xi * xi;
        /* That of HALF - k; of HALF itself in the second place. */
        z[k == 0u ? 1u : 2u * other] = yr * yr + yi * yi;
    }
}

static float power(const float *z, uint32_t k) { return z[k == FFT / 2u ? 1u : 2u * k]; }

