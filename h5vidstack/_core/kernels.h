/* Loops that compilers turn into vectors; included once for each instruction set, as NAME(...). */

static void NAME(classify)(const Neighbours *near, const Model *model, uint32_t n, Scratch *s)
{
    const uint16_t *a = near->near_difference[0], *b = near->near_difference[1],
                   *c = near->near_difference[2], *d = near->near_difference[3];
    uint16_t *restrict out = s->class_of;
    uint16_t t0 = model->threshold[0];
    uint16_t t1 = model->classes > 2 ? model->threshold[1] : UINT16_MAX;
    uint16_t t2 = model->classes > 3 ? model->threshold[2] : UINT16_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t sum = (uint16_t)(a[i] + b[i] + c[i] + d[i]);
        out[i] = (uint16_t)((sum >= t0) + (sum >= t1) + (sum >= t2));
    }
}

static void NAME(energy)(const Neighbours *near, uint32_t n, Scratch *s)
{
    const uint16_t *const *e = near->near_error, *const *r = near->reference_error;
    const uint16_t *a = e[0], *b = e[1], *c = e[2], *d = e[3], *f = e[4], *g = e[5];
    uint16_t *restrict out = s->energy;
    if (near->intra) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = (uint16_t)(2 * (a[i] + b[i]) + c[i] + d[i] + f[i] + g[i]) >> 3;
        return;
    }
    const uint16_t *q = r[0], *u = r[1], *v = r[2], *w = r[3], *x = r[4];
    for (uint32_t i = 0; i < n; i++)
        out[i] = (uint16_t)(7 * (a[i] + b[i]) + 3 * c[i] + 4 * d[i] + 2 * (f[i] + g[i]) +
                            3 * q[i] + u[i] + v[i] + w[i] + x[i]) >> 5;
}

static void NAME(note)(const int16_t *sample, const int16_t *reference, const Scratch *s,
                       uint32_t n, unsigned error_shift, uint16_t *restrict error,
                       uint16_t *restrict difference)
{
    const int16_t *base = s->base, *fraction = s->fraction;
    for (uint32_t i = 0; i < n; i++) {
        int32_t off = 16 * (sample[i] - base[i]) - (fraction[i] - 2);
        int32_t size = (off < 0 ? -off : off) >> error_shift;
        error[i] = (uint16_t)(size < ENERGY - 1 ? size : ENERGY - 1);
    }
    if (!reference)
        return;
    for (uint32_t i = 0; i < n; i++) {
        int32_t apart = sample[i] - reference[i];
        apart = apart < 0 ? -apart : apart;
        difference[i] = (uint16_t)(apart < MAX_DIFFERENCE ? apart : MAX_DIFFERENCE);
    }
}
