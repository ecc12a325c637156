/* The encoder of lpc. Sums are of integers, and doubles are added in a fixed order, so that every
 * machine makes the same stream. */

#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum {
    RUN = 512, /* samples whose products are summed at once */
    CONSTANT = 32,
    CONTEXTS = 2 * LEVELS,
};

/* Sums of products of one coefficient set, lower triangle by rows. */
typedef struct {
    int64_t sum[COLUMNS * (COLUMNS + 1) / 2];
    int64_t count;
    int16_t row[COLUMNS][RUN + 16];
    uint32_t filled;
} Moments;

typedef struct {
    uint32_t count[CONTEXTS][PHASES][SYMBOLS];
} Histogram;

typedef struct {
    const Kernels *kernels;
    const Tables *tables;
    const LpcShape *shape;
    const LpcSettings *settings;
    Geometry geometry;
    Model model;
    Frame *frame;
    Scratch scratch;
    uint8_t *context, *symbol; /* of every sample, in coding order: level * 4 + phase */
    Histogram *histogram;
    Moments *moments;
    int16_t *features;  /* COLUMNS rows of a step */
    BitWriter out;      /* all packets */
    size_t *packet_end; /* of each frame in `out` */
} Encoder;

/* ---- Frames in ------------------------------------------------------------------------------ */

static void take_frame(Encoder *e, const void *samples, unsigned size, uint32_t t)
{
    const Geometry *g = &e->geometry;
    int32_t half = 1 << (e->shape->bits - 1);
    for (Tile tile = {0}; next_tile(g, &tile);)
        for (uint32_t y = tile.top; y < tile.bottom; y++) {
            const int64_t *start = &g->start[2 * (int64_t)y + STEPS_BEFORE];
            int16_t *sample = e->frame[t].sample + y;
            size_t at = ((size_t)t * g->height + y) * g->width;
            if (size == 1)
                for (uint32_t x = tile.left; x < tile.right; x++)
                    sample[start[x]] = (int16_t)(((const uint8_t *)samples)[at + x] - half);
            else
                for (uint32_t x = tile.left; x < tile.right; x++)
                    sample[start[x]] = (int16_t)(((const uint16_t *)samples)[at + x] - half);
        }
}

/* The first sample of a step, and how many it has. */
static int64_t span(const Geometry *g, int64_t step, uint32_t *n)
{
    int64_t low = step_low(g, step);
    *n = (uint32_t)(step_high(g, step) - low + 1);
    return step_at(g, step) + low;
}

static const Frame *frame_before(const Encoder *e, int64_t t)
{
    return t < 0 ? NULL : &e->frame[t];
}

static const Frame *reference(const Encoder *e, uint32_t t)
{
    return frame_before(e, reference_of(e->model.references, t));
}

static const Frame *second(const Encoder *e, uint32_t t)
{
    int64_t r = reference_of(e->model.references, t);
    return r < 0 ? NULL : frame_before(e, reference_of(e->model.references, (uint32_t)r));
}

/* Differences to the reference, and what lies around the frame. Errors come with each pass. */
static void prepare_frame(Encoder *e, uint32_t t)
{
    const Geometry *g = &e->geometry;
    Frame *frame = &e->frame[t];
    const Frame *ref = reference(e, t);
    fill_before(frame, ref, g, e->model.error_shift);
    for (int64_t step = 0; step < g->steps; step++) {
        uint32_t n;
        int64_t at = span(g, step, &n);
        for (uint32_t i = 0; ref && i < n; i++) {
            int32_t apart = abs(frame->sample[at + i] - ref->sample[at + i]);
            frame->difference[at + i] = (uint16_t)(apart < MAX_DIFFERENCE ? apart : MAX_DIFFERENCE);
        }
        fill_edges(frame, g, step);
    }
    fill_below(frame, g);
}

/* ---- What the model is made of ---------------------------------------------------------------- */

/* Units of errors: so that some 8 times the mean difference of neighbours can be told. */
static unsigned choose_error_shift(const Encoder *e)
{
    const Geometry *g = &e->geometry;
    uint64_t sum = 0, count = 0;
    for (uint32_t t = 0; t < e->shape->frames; t++) {
        const Frame *ref = reference(e, t);
        for (int64_t step = 1; step < g->steps; step += 5) {
            uint32_t n;
            int64_t at = span(g, step, &n);
            const int16_t *now = e->frame[t].sample + at;
            const int16_t *before = ref ? ref->sample + at : now;
            if (!ref) { /* the sample on the left; the first of a row has none */
                before = e->frame[t].sample + step_at(g, step - 1) + step_low(g, step);
                n -= step == 2 * step_high(g, step);
            }
            for (uint32_t i = 0; i < n; i++)
                sum += (uint64_t)(now[i] < before[i] ? before[i] - now[i] : now[i] - before[i]);
            count += n;
        }
    }
    unsigned shift = 0;
    while (shift < 8 && sum >> shift > 16 * count)
        shift++;
    return shift;
}

static int by_size(const void *a, const void *b)
{
    uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
    return (x > y) - (x < y);
}

/* Thresholds of the classes: shares of the activity that samples of some rows have. */
static bool choose_thresholds(Encoder *e)
{
    static const unsigned SHARE[CLASSES + 1][CLASSES - 1] = {
        {0}, {0}, {90}, {60, 95}, {50, 90, 98},
    };
    const Geometry *g = &e->geometry;
    enum { MOST = 1 << 14 };
    uint16_t *seen = malloc(MOST * sizeof *seen);
    if (!seen)
        return false;
    uint64_t steps = (uint64_t)e->shape->frames * (uint64_t)g->steps;
    uint64_t apart = 1 + steps * g->longest / MOST;
    size_t count = 0;
    for (uint64_t i = 0; i < steps; i += apart) {
        uint32_t t = (uint32_t)(i / (uint64_t)g->steps), n;
        int64_t step = (int64_t)(i % (uint64_t)g->steps);
        if (!reference(e, t))
            continue;
        Neighbours near;
        neighbours_of(&e->frame[t], reference(e, t), second(e, t), g, step, &near);
        span(g, step, &n);
        const uint16_t *const *d = near.near_difference;
        for (uint32_t k = 0; k < n && count < MOST; k++)
            seen[count++] = (uint16_t)(d[0][k] + d[1][k] + d[2][k] + d[3][k]);
    }
    qsort(seen, count, sizeof *seen, by_size);
    for (unsigned i = 0; i + 1 < e->model.classes; i++) {
        uint16_t least = i ? e->model.threshold[i - 1] + 1 : 1;
        uint16_t found = count ? seen[count * SHARE[e->model.classes][i] / 100] : 0;
        e->model.threshold[i] = found > least ? found : least;
    }
    free(seen);
    return true;
}

static void sum_up(const Encoder *e, Moments *m)
{
    uint32_t n = (m->filled + 15) / 16 * 16;
    for (int k = 0; k < COLUMNS; k++)
        memset(m->row[k] + m->filled, 0, (n - m->filled) * 2);
    e->kernels->products(m->row[0], RUN + 16, COLUMNS, n, m->sum);
    m->count += m->filled;
    m->filled = 0;
}

/* Add a step to the moments of the class of each sample. */
static void add_step(Encoder *e, const Neighbours *near, const int16_t *sample, uint32_t n,
                     unsigned classes, Moments *moments)
{
    size_t stride = e->geometry.longest + VECTOR;
    e->kernels->features(near, sample, n, e->features, stride);
    for (uint32_t from = 0; from < n; from += RUN) {
        uint32_t some = n - from < RUN ? n - from : RUN, count[CLASSES] = {0};
        uint16_t of_class[CLASSES][RUN];
        for (uint32_t i = 0; i < some; i++) {
            unsigned class = classes > 1 ? e->scratch.class_of[from + i] : 0;
            of_class[class][count[class]++] = (uint16_t)i;
        }
        for (unsigned class = 0; class < classes; class++) {
            Moments *m = &moments[class];
            if (m->filled + count[class] > RUN)
                sum_up(e, m);
            for (int k = 0; k < COLUMNS; k++) {
                const int16_t *row = e->features + (size_t)k * stride + from;
                int16_t *to = m->row[k] + m->filled;
                for (uint32_t i = 0; i < count[class]; i++)
                    to[i] = row[of_class[class][i]];
            }
            m->filled += count[class];
        }
    }
}

/* Solve the normal equations by Cholesky's method; false where they have no solution. */
static bool solve(const Moments *m, double *x)
{
    double l[FEATURES][FEATURES], z[FEATURES];
    double ridge = (double)m->count / 1024 + 1;
    for (int i = 0; i < FEATURES; i++)
        for (int j = 0; j <= i; j++) {
            double sum = (double)m->sum[i * (i + 1) / 2 + j] + (i == j ? ridge : 0);
            for (int k = 0; k < j; k++)
                sum = sum - l[i][k] * l[j][k];
            if (i != j)
                l[i][j] = sum / l[j][j];
            else if (sum <= 1e-6)
                return false;
            else
                l[i][i] = sqrt(sum);
        }
    const int64_t *b = m->sum + FEATURES * (FEATURES + 1) / 2;
    for (int i = 0; i < FEATURES; i++) {
        double sum = (double)b[i];
        for (int k = 0; k < i; k++)
            sum = sum - l[i][k] * z[k];
        z[i] = sum / l[i][i];
    }
    for (int i = FEATURES - 1; i >= 0; i--) {
        double sum = z[i];
        for (int k = i + 1; k < FEATURES; k++)
            sum = sum - l[k][i] * x[k];
        x[i] = sum / l[i][i];
    }
    return true;
}

static void quantise(const Moments *m, int taps, unsigned base_tap, Coefficients *set)
{
    double x[FEATURES];
    int32_t size = 0, rest = ONE;
    *set = (Coefficients){.offset = 0};
    set->tap[base_tap] = ONE;
    if (!m->count || !solve(m, x))
        return;
    int32_t tap[TAPS];
    int column = 0;
    for (int k = 0; k < taps; k++) {
        if ((unsigned)k == base_tap)
            continue;
        double weight = floor(x[column++] * ONE + 0.5);
        if (!(fabs(weight) < 32768))
            return;
        tap[k] = (int32_t)weight;
        rest -= tap[k];
        size += abs(tap[k]);
    }
    double offset = floor(x[FEATURES - 1] * CONSTANT * ONE + 0.5);
    tap[base_tap] = rest;
    if (size + abs(rest) > 32767 || !(fabs(offset) < 1 << 28))
        return;
    for (int k = 0; k < taps; k++)
        set->tap[k] = (int16_t)tap[k];
    set->offset = (int32_t)offset;
}

/* What a kind of frame has no tap for is 0. */
static void clear_features(Encoder *e)
{
    size_t stride = e->geometry.longest + VECTOR;
    memset(e->features, 0, COLUMNS * stride * sizeof *e->features);
    for (size_t i = 0; i < stride; i++)
        e->features[(FEATURES - 1) * stride + i] = CONSTANT;
}

static void choose_coefficients(Encoder *e)
{
    Model *m = &e->model;
    const Geometry *g = &e->geometry;
    for (unsigned group = 0; group < m->groups; group++) {
        unsigned classes = group ? m->classes : 1;
        clear_features(e);
        for (unsigned class = 0; class < classes; class++) {
            memset(e->moments[class].sum, 0, sizeof e->moments[class].sum);
            e->moments[class].count = e->moments[class].filled = 0;
        }
        for (uint32_t t = 0; t < e->shape->frames; t++) {
            if (group_of(m, t) != group)
                continue;
            int64_t apart = group ? e->settings->row_step : 1;
            for (int64_t step = (t * 7) % apart; step < g->steps; step += apart) {
                Neighbours near;
                uint32_t n;
                int64_t at = span(g, step, &n);
                neighbours_of(&e->frame[t], reference(e, t), second(e, t), g, step, &near);
                if (classes > 1)
                    e->kernels->classify(&near, m, n, &e->scratch);
                add_step(e, &near, e->frame[t].sample + at, n, classes, e->moments);
            }
        }
        for (unsigned class = 0; class < classes; class++) {
            sum_up(e, &e->moments[class]);
            quantise(&e->moments[class], group ? TAPS : INTRA_TAPS, group ? 10 : 0,
                     &m->set[group][class]);
        }
    }
}

/* ---- Contexts and symbols --------------------------------------------------------------------- */

static uint32_t shifted(int32_t residual, unsigned shift)
{
    int32_t half = shift ? 1 << (shift - 1) : 0;
    int32_t symbol = ((residual + half) >> shift) + 128;
    return symbol < 1 || symbol > 255 ? 0 : (uint32_t)symbol;
}

/* Predict a frame; note context and symbol of each sample. */
static void model_frame(Encoder *e, uint32_t t)
{
    const Model *m = &e->model;
    const Geometry *g = &e->geometry;
    Frame *frame = &e->frame[t];
    const Frame *ref = reference(e, t), *sec = second(e, t);
    size_t at = (size_t)t * g->height * g->width;
    unsigned group = group_of(m, t), classes = ref ? m->classes : 1, bits = e->shape->bits;
    uint8_t shift[LEVELS];
    for (unsigned level = 0; level < LEVELS; level++)
        shift[level] = (uint8_t)level_shift(level, bits, m->error_shift);
    Scratch *s = &e->scratch;
    fill_before(frame, ref, g, m->error_shift);
    uint32_t(*count)[PHASES][SYMBOLS] = e->histogram->count + (ref != NULL) * LEVELS;
    for (int64_t step = 0; step < g->steps; step++) {
        uint32_t n;
        int64_t place = span(g, step, &n);
        const int16_t *sample = frame->sample + place;
        Neighbours near;
        neighbours_of(frame, ref, sec, g, step, &near);
        if (classes > 1)
            e->kernels->classify(&near, m, n, s);
        e->kernels->energy(&near, n, s);
        e->kernels->predict(&near, m->set[group], classes, bits, n, s);
        e->kernels->note(sample, ref ? ref->sample + place : NULL, s, n, m->error_shift,
                         frame->error + place, frame->difference + place);
        fill_edges(frame, g, step);
        uint8_t *context = e->context + at, *symbol = e->symbol + at;
        for (uint32_t i = 0; i < n; i++) {
            unsigned level = e->tables->level[s->energy[i]];
            unsigned phase = shift[level] ? 0 : (unsigned)s->fraction[i] >> 2;
            uint32_t value = shifted(sample[i] - s->base[i], shift[level]);
            context[i] = (uint8_t)(4 * level + phase);
            symbol[i] = (uint8_t)value;
            count[level][phase][value]++;
        }
        at += n;
    }
    fill_below(frame, g);
}

/* Bits / 256 that a context takes with a distribution. */
static uint64_t cost_with(const Encoder *e, uint32_t (*count)[SYMBOLS], unsigned family,
                          const uint16_t (*range)[2])
{
    uint64_t cost = 0;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        const uint16_t *one = e->tables->cost[family][phase];
        const uint16_t *frequency = e->tables->frequency[family][phase];
        for (unsigned s = range[phase][0]; s < range[phase][1]; s++)
            cost += (uint64_t)count[phase][s] * (one[s] + (frequency[s] ? 0 : e->shape->bits << 8));
    }
    return cost;
}

static unsigned choose_family(const Encoder *e, uint32_t (*count)[SYMBOLS])
{
    uint64_t number = 0, sum = 0;
    uint16_t range[PHASES][2];
    for (unsigned phase = 0; phase < PHASES; phase++) {
        range[phase][0] = SYMBOLS;
        range[phase][1] = 0;
        for (unsigned s = 0; s < SYMBOLS; s++) {
            uint32_t seen = count[phase][s];
            if (!seen)
                continue;
            if (s < range[phase][0])
                range[phase][0] = (uint16_t)s;
            range[phase][1] = (uint16_t)(s + 1);
            int32_t off = 16 * ((int32_t)s - 128) - 4 * (int32_t)phase;
            number += seen;
            sum += (uint64_t)seen * (uint64_t)(off < 0 ? -off : off);
        }
    }
    if (!number)
        return FAMILY;
    /* The mean of |x| is 1.386 times the width; widths are 10 * 1.2^k in 1/256. */
    uint64_t width = sum * 16 * 10 / 14 / number;
    int near = 0;
    for (uint64_t w = 10; w < width && near < SCALES - 1; w += w / 5)
        near++;
    unsigned best = FAMILY;
    uint64_t least = UINT64_MAX;
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        int centre = near, step = 4;
        uint64_t here = cost_with(e, count, shape * SCALES + (unsigned)centre, range);
        while (step) {
            bool moved = false;
            for (int to = centre - step; to <= centre + step; to += 2 * step) {
                if (to < 0 || to >= SCALES)
                    continue;
                uint64_t there = cost_with(e, count, shape * SCALES + (unsigned)to, range);
                if (there < here) {
                    here = there;
                    centre = to;
                    moved = true;
                    break;
                }
            }
            if (!moved)
                step /= 2;
        }
        if (here < least) {
            least = here;
            best = shape * SCALES + (unsigned)centre;
        }
    }
    return best;
}

static void choose_contexts(Encoder *e)
{
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned level = 0; level < LEVELS; level++) {
            Context *context = &e->model.context[kind][level];
            context->family =
                (uint8_t)choose_family(e, e->histogram->count[kind * LEVELS + level]);
            context->shift = (uint8_t)level_shift(level, e->shape->bits, e->model.error_shift);
        }
}

/* ---- Packets ---------------------------------------------------------------------------------- */

static bool reserve(BitWriter *w, size_t more)
{
    if (w->room - w->size >= more)
        return true;
    size_t room = w->size + more + w->room / 2;
    uint8_t *data = realloc(w->data, room);
    if (!data)
        return false;
    w->data = data;
    w->room = room;
    return true;
}

/* Low bits and escaped samples of a frame; symbols that no frequency holds become escapes. */
static void put_raw(Encoder *e, uint32_t t, BitWriter *raw)
{
    const Geometry *g = &e->geometry;
    const Model *m = &e->model;
    const Frame *ref = reference(e, t), *sec = second(e, t), *frame = &e->frame[t];
    unsigned bits = e->shape->bits, group = group_of(m, t), classes = ref ? m->classes : 1;
    int32_t half = 1 << (bits - 1);
    size_t at = (size_t)t * g->height * g->width;
    bool shifts = level_shift(LEVELS - 1, bits, m->error_shift) > 0;
    const Context *contexts = m->context[ref != NULL];
    const uint16_t *frequency[LEVELS * PHASES];
    for (unsigned k = 0; k < LEVELS * PHASES; k++) {
        unsigned family = contexts[k / PHASES].family;
        frequency[k] = e->tables->frequency[family < FAMILY ? family : 0][k % PHASES];
    }
    for (int64_t step = 0; step < g->steps; step++) {
        uint32_t n;
        int64_t place = span(g, step, &n);
        uint8_t *symbol = e->symbol + at;
        const uint8_t *context = e->context + at;
        bool any = shifts;
        uint8_t least = UINT8_MAX;
        for (uint32_t i = 0; i < n; i++) {
            symbol[i] = frequency[context[i]][symbol[i]] ? symbol[i] : 0;
            least = symbol[i] < least ? symbol[i] : least;
        }
        any |= !least;
        at += n;
        if (!any)
            continue;
        const int16_t *sample = frame->sample + place;
        if (shifts) {
            Neighbours near;
            neighbours_of(frame, ref, sec, g, step, &near);
            if (classes > 1)
                e->kernels->classify(&near, m, n, &e->scratch);
            e->kernels->predict(&near, m->set[group], classes, bits, n, &e->scratch);
        }
        for (uint32_t i = 0; i < n; i++) {
            unsigned shift = contexts[context[i] / 4].shift;
            if (!symbol[i])
                put_bits(raw, (uint32_t)(sample[i] + half), bits);
            else if (shift) {
                int32_t residual = sample[i] - e->scratch.base[i] + (1 << (shift - 1));
                put_bits(raw, (uint32_t)residual & ((1u << shift) - 1), shift);
            }
        }
    }
    put_end(raw);
}

static inline uint32_t push(uint32_t x, const Divisor *d, uint16_t **words)
{
    /* Without a branch, as no processor could predict it: what is not put out is overwritten. */
    uint32_t full = x >= d->limit ? UINT32_MAX : 0;
    (*words)[-1] = (uint16_t)x;
    *words -= full & 1;
    x >>= full & 16;
    uint32_t q = (uint32_t)(((uint64_t)x * d->inverse) >> 32) >> d->shift;
    return x + d->bias + q * d->complement;
}

/* Code the symbols of a frame, the last one first. Words lie before `words` then. */
static uint16_t *code_frame(const Encoder *e, uint32_t t, uint32_t *state, uint16_t *words)
{
    const Geometry *g = &e->geometry;
    unsigned states = e->model.states, kind = reference(e, t) != NULL;
    size_t at = ((size_t)t + 1) * g->height * g->width;
    for (unsigned i = 0; i < states; i++)
        state[i] = STATE_LEAST;
    const Divisor *table[LEVELS * PHASES];
    for (unsigned k = 0; k < LEVELS * PHASES; k++) {
        unsigned family = e->model.context[kind][k / PHASES].family;
        table[k] = e->tables->divisor[family < FAMILY ? family : 0][k % PHASES];
    }
    for (int64_t step = g->steps; step-- > 0;) {
        uint32_t n;
        span(g, step, &n);
        at -= n;
        for (uint32_t i = n; i-- > 0;)
            state[i & (states - 1)] = push(
                state[i & (states - 1)], table[e->context[at + i]] + e->symbol[at + i], &words);
    }
    return words;
}

static void put_little32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static LpcStatus write_packets(Encoder *e)
{
    size_t samples = (size_t)e->geometry.height * e->geometry.width;
    unsigned states = e->model.states;
    uint16_t *words = malloc((samples + 1) * sizeof *words);
    BitWriter raw = {0};
    LpcStatus status = words ? LPC_OK : LPC_NO_MEMORY;
    for (uint32_t t = 0; status == LPC_OK && t < e->shape->frames; t++) {
        uint32_t state[MAX_STATES];
        raw.size = 0;
        put_raw(e, t, &raw);
        uint16_t *first = code_frame(e, t, state, words + samples + 1);
        size_t count = (size_t)(words + samples + 1 - first);
        if (raw.failed || !reserve(&e->out, 5 + 4 * states + 2 * count + raw.size)) {
            status = LPC_NO_MEMORY;
            break;
        }
        uint8_t *p = e->out.data + e->out.size;
        size_t rest = count;
        for (; rest > 127; rest >>= 7)
            *p++ = (uint8_t)(rest | 128);
        *p++ = (uint8_t)rest;
        for (unsigned i = 0; i < states; i++, p += 4)
            put_little32(p, state[i]);
        for (size_t i = 0; i < count; i++) {
            *p++ = (uint8_t)first[i];
            *p++ = (uint8_t)(first[i] >> 8);
        }
        if (raw.size)
            memcpy(p, raw.data, raw.size);
        e->out.size = (size_t)(p + raw.size - e->out.data);
        e->packet_end[t] = e->out.size;
    }
    free(raw.data);
    free(words);
    return status;
}

/* ---- All of it -------------------------------------------------------------------------------- */

static unsigned choose_states(const LpcShape *shape)
{
    uint64_t samples = (uint64_t)shape->height * shape->width;
    unsigned states = 2;
    while (states < 32 && samples >> 10 >= states)
        states *= 2;
    return states;
}

static void choose_groups(Encoder *e)
{
    Model *m = &e->model;
    m->groups = GROUPS;
    unsigned most = 0;
    for (uint32_t t = 0; t < e->shape->frames; t++) {
        unsigned group = group_of(m, t);
        most = group > most ? group : most;
    }
    if (m->references == LPC_STAR && most > 1)
        most = 1; /* distance says little there */
    m->groups = most + 1;
    if (m->references != LPC_INTRA && m->groups < 2)
        m->groups = 2;
}

static LpcStatus finish_stream(Encoder *e, LpcStream *stream)
{
    BitWriter head = {0};
    write_model(&head, &e->model);
    uint32_t frames = e->shape->frames;
    uint8_t *memory = malloc(frames * sizeof(LpcBytes) + head.size + e->out.size);
    if (head.failed || !memory) {
        free(head.data);
        free(memory);
        return LPC_NO_MEMORY;
    }
    LpcBytes *packets = (LpcBytes *)(void *)memory;
    uint8_t *data = memory + frames * sizeof(LpcBytes);
    memcpy(data, head.data, head.size);
    memcpy(data + head.size, e->out.data, e->out.size);
    *stream = (LpcStream){{data, head.size}, packets, memory};
    size_t from = 0;
    for (uint32_t t = 0; t < frames; t++) {
        packets[t] = (LpcBytes){data + head.size + from, e->packet_end[t] - from};
        from = e->packet_end[t];
    }
    free(head.data);
    return LPC_OK;
}

static LpcStatus encode(Encoder *e, const void *samples, unsigned size)
{
    Model *m = &e->model;
    uint32_t frames = e->shape->frames;
    m->references = frames > 1 ? e->settings->references : LPC_INTRA;
    m->states = choose_states(e->shape);
    m->classes = e->settings->classes;
    choose_groups(e);
    for (uint32_t t = 0; t < frames; t++)
        take_frame(e, samples, size, t);
    m->error_shift = choose_error_shift(e);
    for (uint32_t t = 0; t < frames; t++)
        prepare_frame(e, t);
    if (m->classes > 1 && !choose_thresholds(e))
        return LPC_NO_MEMORY;
    choose_coefficients(e);
    for (uint32_t t = 0; t < frames; t++)
        model_frame(e, t);
    choose_contexts(e);
    return write_packets(e);
}

LpcStatus lpc_encode(const void *samples, unsigned size, const LpcShape *shape,
                     const LpcSettings *settings, LpcStream *stream)
{
    *stream = (LpcStream){0};
    if (!shape->bits || shape->bits > 16 || (size == 1 && shape->bits > 8) || size > 2 || !size ||
        !shape->frames || !shape->height || !shape->width || !settings->classes ||
        settings->classes > CLASSES || !settings->row_step ||
        settings->references >= LPC_REFERENCES)
        return LPC_BAD_ARGUMENT;
    size_t total = (size_t)shape->frames * shape->height * shape->width;
    Encoder *e = calloc(1, sizeof *e);
    LpcStatus status = LPC_NO_MEMORY;
    if (!e)
        goto done;
    *e = (Encoder){.kernels = kernels(), .tables = tables(), .shape = shape,
                   .settings = settings};
    e->frame = calloc(shape->frames, sizeof *e->frame);
    e->context = malloc(total);
    e->symbol = malloc(total);
    e->histogram = calloc(1, sizeof *e->histogram);
    e->moments = malloc(CLASSES * sizeof *e->moments);
    e->packet_end = malloc(shape->frames * sizeof *e->packet_end);
    bool room = e->tables && e->frame && e->context && e->symbol && e->histogram && e->moments &&
                e->packet_end && geometry_make(&e->geometry, shape) &&
                scratch_alloc(&e->scratch, &e->geometry);
    if (room)
        e->features = malloc(COLUMNS * ((size_t)e->geometry.longest + VECTOR) * sizeof(int16_t));
    room = room && e->features;
    for (uint32_t t = 0; room && t < shape->frames; t++)
        room = frame_alloc(&e->frame[t], &e->geometry);
    if (!room)
        goto done;
    status = encode(e, samples, size);
    if (status == LPC_OK)
        status = finish_stream(e, stream);
done:
    if (e) {
        for (uint32_t t = 0; e->frame && t < shape->frames; t++)
            frame_free(&e->frame[t]);
        free(e->frame);
        free(e->context);
        free(e->symbol);
        free(e->histogram);
        free(e->moments);
        free(e->features);
        free(e->packet_end);
        free(e->out.data);
        scratch_free(&e->scratch);
        geometry_free(&e->geometry);
    }
    free(e);
    return status;
}

void lpc_free(LpcStream *stream)
{
    free(stream->memory);
    *stream = (LpcStream){0};
}
