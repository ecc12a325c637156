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
    CONTEXTS = KINDS * LEVELS,
    BUCKETS = (LEVELS + 1) / 2, /* of expected error, two levels each */
    SUMS = COLUMNS * (COLUMNS + 1) / 2,
    FIRST_APART = 4, /* the first of two passes looks at every so many of the steps */
};

/* Sums of products of one coefficient set, lower triangle by rows. */
typedef struct {
    int64_t sum[SUMS];
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
    uint8_t shift[LEVELS]; /* low bits that are stored as they are */
    bool shifts;           /* some are */
    uint8_t *context, *symbol; /* of every sample, in coding order: level * 4 + phase */
    int16_t *base;      /* of every sample, where there are shifts */
    Histogram *histogram;
    uint16_t *escaped; /* samples of a frame that are no symbols, the last one first */
    size_t escapes;
    Moments *moments; /* of each class and bucket */
    int16_t *features;  /* COLUMNS rows of a step */
    BitWriter out;      /* all packets */
    size_t *packet_end; /* of each frame in `out` */
} Encoder;

/* ---- Frames in ------------------------------------------------------------------------------ */

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
    return frame_before(e, reference_of(&e->model, t));
}

static const Frame *second(const Encoder *e, uint32_t t)
{
    int64_t r = reference_of(&e->model, t);
    return r < 0 ? NULL : frame_before(e, reference_of(&e->model, (uint32_t)r));
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
        if (ref)
            e->kernels->differ(frame->sample + at, ref->sample + at, n, frame->difference + at);
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
            uint32_t of_step = 0; /* a step has less than 2^15 samples */
            for (uint32_t i = 0; i < n; i++)
                of_step += (uint32_t)(now[i] < before[i] ? before[i] - now[i] : now[i] - before[i]);
            sum += of_step;
            count += n;
        }
    }
    unsigned shift = 0;
    while (shift < 8 && sum >> shift > 16 * count)
        shift++;
    return shift;
}

/* Thresholds of the classes: shares of the activity that samples of some steps have. */
static bool choose_thresholds(Encoder *e)
{
    static const unsigned SHARE[CLASSES + 1][CLASSES - 1] = {
        {0}, {0}, {90}, {60, 95}, {50, 90, 98},
    };
    enum { MOST = 1 << 14 };
    const Geometry *g = &e->geometry;
    uint16_t *seen = calloc(4 * MAX_DIFFERENCE + 1, sizeof *seen); /* how often, by activity */
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
        for (uint32_t k = 0; k < n && count < MOST; k++, count++)
            seen[d[0][k] + d[1][k] + d[2][k] + d[3][k]]++;
    }
    unsigned activity = 0;
    size_t up_to = seen[0];
    for (unsigned i = 0; i + 1 < e->model.classes; i++) {
        size_t rank = count * SHARE[e->model.classes][i] / 100;
        while (count && up_to <= rank)
            up_to += seen[++activity];
        uint16_t least = i ? e->model.threshold[i - 1] + 1 : 1;
        e->model.threshold[i] = (uint16_t)activity > least ? (uint16_t)activity : least;
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

/* Add a step to the moments of the class of each sample, and of its bucket where `context` says
 * which one that is. */
static void add_step(Encoder *e, const Neighbours *near, const int16_t *sample, uint32_t n,
                     unsigned classes, const uint8_t *context)
{
    size_t stride = e->geometry.longest + VECTOR;
    unsigned buckets = context ? BUCKETS : 1, parts = classes * buckets;
    e->kernels->features(near, sample, n, e->features, stride);
    for (uint32_t from = 0; from < n; from += RUN) {
        uint32_t some = n - from < RUN ? n - from : RUN, count[CLASSES * BUCKETS];
        uint16_t of_part[CLASSES * BUCKETS][RUN];
        memset(count, 0, parts * sizeof *count);
        for (uint32_t i = from; i < from + some; i++) {
            unsigned part = classes > 1 ? e->scratch.class_of[i] * buckets : 0;
            part += context ? context[i] / PHASES / 2 : 0;
            of_part[part][count[part]++] = (uint16_t)(i - from);
        }
        for (unsigned part = 0; part < parts; part++) {
            Moments *m = &e->moments[part];
            if (m->filled + count[part] > RUN)
                sum_up(e, m);
            for (int k = 0; k < COLUMNS && count[part]; k++) {
                const int16_t *row = e->features + (size_t)k * stride + from;
                int16_t *to = m->row[k] + m->filled;
                for (uint32_t i = 0; i < count[part]; i++)
                    to[i] = row[of_part[part][i]];
            }
            m->filled += count[part];
        }
    }
}

/* The sums of a class, its buckets weighted by the inverse square of their errors. */
typedef struct {
    double sum[SUMS], count;
} Weighted;

static void weigh(const Encoder *e, Moments *moments, unsigned buckets, Weighted *found)
{
    unsigned least = 0;
    memset(found, 0, sizeof *found);
    for (unsigned bucket = 0; bucket < buckets; bucket++) {
        Moments *m = &moments[bucket];
        sum_up(e, m);
        if (!m->count)
            continue;
        unsigned error = 8u + LEVEL_START[2 * bucket];
        least = least ? least : error;
        double ratio = (double)least / error, weight = ratio * ratio;
        for (int k = 0; k < SUMS; k++)
            found->sum[k] = found->sum[k] + weight * (double)m->sum[k];
        found->count = found->count + weight * (double)m->count;
    }
}

/* Solve the normal equations by Cholesky's method; false where they have no solution. */
static bool solve(const Weighted *m, double *x)
{
    double l[FEATURES][FEATURES], z[FEATURES];
    double ridge = m->count / 1024 + 1;
    for (int i = 0; i < FEATURES; i++)
        for (int j = 0; j <= i; j++) {
            double sum = m->sum[i * (i + 1) / 2 + j] + (i == j ? ridge : 0);
            for (int k = 0; k < j; k++)
                sum = sum - l[i][k] * l[j][k];
            if (i != j)
                l[i][j] = sum / l[j][j];
            else if (sum <= 1e-6)
                return false;
            else
                l[i][i] = sqrt(sum);
        }
    const double *b = m->sum + FEATURES * (FEATURES + 1) / 2;
    for (int i = 0; i < FEATURES; i++) {
        double sum = b[i];
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

static void quantise(const Weighted *m, int taps, unsigned base_tap, Coefficients *set)
{
    double x[FEATURES];
    int32_t size = 0, rest = ONE;
    *set = (Coefficients){.offset = 0};
    set->tap[base_tap] = ONE;
    if (!(m->count > 0) || !solve(m, x))
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

/* Least squares look at every so many steps: at all where there are few samples. */
static int64_t steps_apart(const Encoder *e, unsigned kind, bool weighted)
{
    enum { FEW = 2048 };
    const Geometry *g = &e->geometry;
    bool first = e->settings->passes > 1 && !weighted;
    uint64_t frames = 0, step = (uint64_t)e->settings->row_step * (first ? FIRST_APART : 1);
    for (uint32_t t = 0; t < e->shape->frames; t++)
        frames += (reference(e, t) != NULL) == kind;
    return frames * g->height * g->width / step < FEW ? 1 : (int64_t)step;
}

/* How many samples are coded before a step. Cells have EDGE more on each side of all steps. */
static size_t coded_before(int64_t place, int64_t step)
{
    return (size_t)(place - EDGE - 2 * EDGE * (step + STEPS_BEFORE));
}

static void add_frame(Encoder *e, uint32_t t, int64_t apart, bool weighted)
{
    const Geometry *g = &e->geometry;
    const Frame *ref = reference(e, t), *sec = second(e, t);
    const uint8_t *context = e->context + (size_t)t * g->height * g->width;
    unsigned classes = ref ? e->model.classes : 1;
    for (int64_t step = (t * (int64_t)7) % apart; step < g->steps; step += apart) {
        Neighbours near;
        uint32_t n;
        int64_t at = span(g, step, &n);
        neighbours_of(&e->frame[t], ref, sec, g, step, &near);
        if (classes > 1)
            e->kernels->classify(&near, &e->model, n, &e->scratch);
        add_step(e, &near, e->frame[t].sample + at, n, classes,
                 weighted ? context + coded_before(at, step) : NULL);
    }
}

/* Choose coefficients by least squares; samples that were hard to predict before count for less
 * where they are weighted. */
static void choose_coefficients(Encoder *e, bool weighted)
{
    Model *m = &e->model;
    unsigned buckets = weighted ? BUCKETS : 1;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        unsigned classes = kind == INTER ? m->classes : 1;
        int64_t apart = steps_apart(e, kind, weighted);
        clear_features(e);
        for (unsigned part = 0; part < classes * buckets; part++) {
            memset(e->moments[part].sum, 0, sizeof e->moments[part].sum);
            e->moments[part].count = e->moments[part].filled = 0;
        }
        for (uint32_t t = 0; t < e->shape->frames; t++)
            if ((reference(e, t) != NULL) == kind)
                add_frame(e, t, apart, weighted);
        for (unsigned class = 0; class < classes; class++) {
            Weighted found;
            weigh(e, &e->moments[class * buckets], buckets, &found);
            quantise(&found, kind == INTER ? TAPS : INTRA_TAPS, kind == INTER ? 10 : 0,
                     &m->set[kind][class]);
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

typedef uint32_t Counts[PHASES][SYMBOLS];

/* Context and symbol of each sample of a step, none of which keeps low bits apart. */
static void note_symbols(const Encoder *e, const int16_t *sample, uint32_t n, uint8_t *context,
                         uint8_t *restrict symbol)
{
    const Scratch *s = &e->scratch;
    for (uint32_t i = 0; i < n; i++) {
        int32_t value = sample[i] - s->base[i] + 128;
        symbol[i] = (uint8_t)(value & ~255 ? 0 : value);
    }
    for (uint32_t i = 0; i < n; i++)
        context[i] = (uint8_t)(PHASES * e->tables->level[s->energy[i]] +
                               ((unsigned)s->fraction[i] >> 2));
}

static void note_shifted(const Encoder *e, const int16_t *sample, uint32_t n, uint8_t *context,
                         uint8_t *symbol)
{
    const Scratch *s = &e->scratch;
    for (uint32_t i = 0; i < n; i++) {
        unsigned level = e->tables->level[s->energy[i]], shift = e->shift[level];
        unsigned phase = shift ? 0 : (unsigned)s->fraction[i] >> 2;
        context[i] = (uint8_t)(PHASES * level + phase);
        symbol[i] = (uint8_t)shifted(sample[i] - s->base[i], shift);
    }
}

/* Symbols are counted in every so many steps: in all where there are few samples. */
static int64_t counted_apart(const Encoder *e)
{
    enum { MANY = 1 << 18, APART = 3 };
    const Geometry *g = &e->geometry;
    return (uint64_t)e->shape->frames * g->height * g->width < MANY ? 1 : APART;
}

/* Predict a frame; note context and symbol of each sample. */
static void model_frame(Encoder *e, uint32_t t)
{
    const Model *m = &e->model;
    const Geometry *g = &e->geometry;
    Frame *frame = &e->frame[t];
    const Frame *ref = reference(e, t), *sec = second(e, t);
    size_t at = (size_t)t * g->height * g->width;
    unsigned kind = ref ? INTER : INTRA, classes = ref ? m->classes : 1;
    Scratch *s = &e->scratch;
    fill_before(frame, ref, g, m->error_shift);
    Counts *count = e->histogram->count + kind * LEVELS;
    int64_t apart = counted_apart(e);
    for (int64_t step = 0; step < g->steps; step++) {
        uint32_t n;
        int64_t place = span(g, step, &n);
        const int16_t *sample = frame->sample + place;
        Neighbours near;
        neighbours_of(frame, ref, sec, g, step, &near);
        if (classes > 1)
            e->kernels->classify(&near, m, n, s);
        e->kernels->energy(&near, n, s);
        e->kernels->predict(&near, m->set[kind], classes, e->shape->bits, n, s);
        e->kernels->note(sample, NULL, s, n, m->error_shift, frame->error + place, NULL);
        fill_edges(frame, g, step);
        uint8_t *context = e->context + at, *symbol = e->symbol + at;
        if (e->shifts) {
            note_shifted(e, sample, n, context, symbol);
            memcpy(e->base + at, s->base, n * sizeof *s->base);
        } else {
            note_symbols(e, sample, n, context, symbol);
        }
        for (uint32_t i = 0; (step + t) % apart == 0 && i < n; i++)
            count[context[i] / PHASES][context[i] % PHASES][symbol[i]]++;
        at += n;
    }
    fill_below(frame, g);
}

/* Bits / 256 that a context takes with a distribution. */
static uint64_t cost_with(const Encoder *e, Counts count, unsigned family,
                          const uint16_t (*range)[2])
{
    uint64_t cost = 0, escaped = 0;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        const uint16_t *one = e->tables->cost[family][phase];
        for (unsigned s = range[phase][0]; s < range[phase][1]; s++) {
            cost += (uint64_t)count[phase][s] * (one[s] & (NO_SLOTS - 1));
            escaped += one[s] & NO_SLOTS ? count[phase][s] : 0;
        }
    }
    return cost + escaped * (e->shape->bits << 8);
}

static unsigned choose_family(const Encoder *e, Counts count)
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
        int centre = near, step = 2;
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
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned level = 0; level < LEVELS; level++) {
            unsigned family = choose_family(e, e->histogram->count[kind * LEVELS + level]);
            e->model.context[kind][level] = (Context){(uint8_t)family, e->shift[level]};
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

/* Low bits and escaped samples of a frame. Symbols that have no slots become escapes. */
static void put_low_bits(Encoder *e, uint32_t t, BitWriter *raw)
{
    const Geometry *g = &e->geometry;
    unsigned bits = e->shape->bits, kind = reference(e, t) ? INTER : INTRA, waiting = 0;
    int32_t half = 1 << (bits - 1);
    uint64_t buffer = 0;
    size_t at = (size_t)t * g->height * g->width;
    uint8_t *out = raw->data;
    const uint16_t *frequency[LEVELS * PHASES];
    for (unsigned k = 0; k < LEVELS * PHASES; k++) {
        unsigned family = e->model.context[kind][k / PHASES].family;
        frequency[k] = e->tables->frequency[family < FAMILY ? family : 0][k % PHASES];
    }
    for (int64_t step = 0; step < g->steps; step++) {
        uint32_t n;
        const int16_t *sample = e->frame[t].sample + span(g, step, &n);
        for (uint32_t i = 0; i < n; i++, at++) {
            unsigned context = e->context[at], count = e->shift[context / PHASES];
            int32_t value = sample[i] - e->base[at] + ((1 << count) >> 1);
            if (!e->symbol[at] || !frequency[context][e->symbol[at]]) {
                e->symbol[at] = 0;
                value = sample[i] + half;
                count = bits;
            }
            buffer |= (uint64_t)((uint32_t)value & ((1u << count) - 1)) << waiting;
            waiting += count;
            for (; waiting >= 16; waiting -= 16, buffer >>= 16) {
                *out++ = (uint8_t)buffer;
                *out++ = (uint8_t)(buffer >> 8);
            }
        }
    }
    raw->size = (size_t)(out - raw->data);
    put_bits(raw, (uint32_t)buffer, waiting);
}

static inline uint32_t push(uint32_t x, const Divisor *d, uint16_t **words)
{
    /* Without a branch, as no processor could predict it: what is not put out is overwritten. */
    uint32_t full = x >= d->limit ? UINT32_MAX : 0;
    (*words)[-1] = (uint16_t)x;
    *words -= full & 1;
    x >>= full & 16;
    uint32_t q = (uint32_t)(((uint64_t)x * d->inverse) >> 32) >> (d->shift & 31);
    return x + d->bias + q * d->complement;
}

/* Code the symbols of a frame, the last one first. Words lie before `words` then. */
static uint16_t *code_frame(Encoder *e, uint32_t t, uint32_t *state, uint16_t *words)
{
    const Geometry *g = &e->geometry;
    unsigned states = e->model.states, kind = reference(e, t) ? INTER : INTRA;
    int32_t half = 1 << (e->shape->bits - 1);
    size_t at = ((size_t)t + 1) * g->height * g->width;
    for (unsigned i = 0; i < states; i++)
        state[i] = STATE_LEAST;
    const Divisor *table[LEVELS * PHASES];
    for (unsigned k = 0; k < LEVELS * PHASES; k++) {
        unsigned family = e->model.context[kind][k / PHASES].family;
        table[k] = e->tables->divisor[family < FAMILY ? family : 0][k % PHASES];
    }
    e->escapes = 0;
    for (int64_t step = g->steps; step-- > 0;) {
        uint32_t n;
        int64_t place = span(g, step, &n);
        at -= n;
        for (uint32_t i = n; i-- > 0;) {
            const Divisor *d = table[e->context[at + i]] + e->symbol[at + i];
            if (__builtin_expect(d->shift & ESCAPE, 0)) {
                d = table[e->context[at + i]];
                e->escaped[e->escapes++] = (uint16_t)(e->frame[t].sample[place + i] + half);
            }
            state[i & (states - 1)] = push(state[i & (states - 1)], d, &words);
        }
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
    e->escaped = malloc(samples * sizeof *e->escaped);
    /* A sample has 16 raw bits at most; some bytes more are written before they are needed. */
    BitWriter raw = {.room = 2 * samples + 8};
    raw.data = malloc(raw.room);
    LpcStatus status = words && e->escaped && raw.data ? LPC_OK : LPC_NO_MEMORY;
    for (uint32_t t = 0; status == LPC_OK && t < e->shape->frames; t++) {
        uint32_t state[MAX_STATES];
        raw.size = 0;
        if (e->shifts)
            put_low_bits(e, t, &raw);
        uint16_t *first = code_frame(e, t, state, words + samples + 1);
        size_t count = (size_t)(words + samples + 1 - first);
        for (size_t i = e->escapes; !e->shifts && i-- > 0;)
            put_bits(&raw, e->escaped[i], e->shape->bits);
        put_end(&raw);
        if (raw.failed || !reserve(&e->out, 4 * states + 2 * count + raw.size)) {
            status = LPC_NO_MEMORY;
            break;
        }
        uint8_t *p = e->out.data + e->out.size;
        for (unsigned i = 0; i < states; i++, p += 4)
            put_little32(p, state[i]);
        for (size_t i = 0; i < count; i++) {
            *p++ = (uint8_t)first[i];
            *p++ = (uint8_t)(first[i] >> 8);
        }
        for (size_t i = raw.size; i-- > 0;)
            *p++ = raw.data[i];
        e->out.size = (size_t)(p - e->out.data);
        e->packet_end[t] = e->out.size;
    }
    free(raw.data);
    free(words);
    return status;
}

/* ---- All of it -------------------------------------------------------------------------------- */

/* States of rANS: few in small frames, since each takes 4 bytes of a packet. Two are faster than one. */
static unsigned choose_states(const LpcShape *shape, const LpcSettings *settings)
{
    uint64_t samples = (uint64_t)shape->height * shape->width;
    unsigned states = settings->passes > 1 ? 1 : 2;
    while (states < 32 && samples >> 10 >= 2 * states)
        states *= 2;
    return states;
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
    const Geometry *g = &e->geometry;
    uint32_t frames = e->shape->frames;
    size_t frame_bytes = (size_t)g->height * g->width * size;
    for (uint32_t t = 0; t < frames; t++)
        take_samples((const uint8_t *)samples + t * frame_bytes, size, e->shape->bits, g,
                     e->frame[t].sample);
    m->error_shift = choose_error_shift(e);
    for (unsigned level = 0; level < LEVELS; level++) {
        e->shift[level] = (uint8_t)level_shift(level, e->shape->bits, m->error_shift);
        e->shifts |= e->shift[level] > 0;
    }
    e->base = e->shifts ? malloc(frames * (size_t)g->height * g->width * sizeof *e->base) : NULL;
    if (e->shifts && !e->base)
        return LPC_NO_MEMORY;
    for (uint32_t t = 0; t < frames; t++)
        prepare_frame(e, t);
    if (m->classes > 1 && !choose_thresholds(e))
        return LPC_NO_MEMORY;
    for (unsigned pass = 0; pass < e->settings->passes; pass++) {
        choose_coefficients(e, pass > 0);
        memset(e->histogram, 0, sizeof *e->histogram);
        for (uint32_t place = 0; place < frames; place++)
            model_frame(e, frame_at(m, place));
    }
    choose_contexts(e);
    return write_packets(e);
}

LpcStatus lpc_encode(const void *samples, unsigned size, const LpcShape *shape,
                     const LpcSettings *settings, LpcStream *stream)
{
    *stream = (LpcStream){0};
    if (!shape->bits || shape->bits > 16 || (size == 1 && shape->bits > 8) || size > 2 || !size ||
        !shape->frames || !shape->height || !shape->width || !settings->classes ||
        settings->classes > CLASSES || !settings->row_step || settings->passes < 1 ||
        settings->passes > 2 ||
        settings->references >= LPC_REFERENCES)
        return LPC_BAD_ARGUMENT;
    size_t total = (size_t)shape->frames * shape->height * shape->width;
    Encoder *e = calloc(1, sizeof *e);
    LpcStatus status = LPC_NO_MEMORY;
    if (!e)
        goto done;
    *e = (Encoder){.kernels = kernels(), .tables = tables(), .shape = shape,
                   .settings = settings};
    bool refer = shape->frames > 1 && settings->references != LPC_INTRA;
    e->model = (Model){.references = refer ? settings->references : LPC_INTRA,
                       .frames = shape->frames, .states = choose_states(shape, settings),
                       .classes = refer ? settings->classes : 1};
    e->frame = calloc(shape->frames, sizeof *e->frame);
    e->context = malloc(total);
    e->symbol = malloc(total);
    e->histogram = malloc(sizeof *e->histogram);
    unsigned parts = CLASSES * (settings->passes > 1 ? BUCKETS : 1);
    e->moments = malloc(parts * sizeof *e->moments);
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
        free(e->base);
        free(e->escaped);
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
