#include "model.h"

#include <stdlib.h>
#include <string.h>

const uint16_t LEVEL_START[LEVELS + 1] = {
    0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20,
    25, 32, 40, 51, 64, 81, 102, 128, 161, 203, 256, 323,
    406, 512, 645, 813, 1024, 1290, 1625, 2048,
};

/* 2^16 / (1 + exp(-i / 16)). */
static const uint32_t LOGISTIC[193] = {
    32768, 33792, 34813, 35831, 36843, 37847, 38841, 39824, 40793, 41748, 42687, 43608,
    44511, 45393, 46254, 47094, 47911, 48704, 49474, 50220, 50941, 51638, 52310, 52957,
    53581, 54179, 54754, 55306, 55834, 56339, 56822, 57284, 57724, 58144, 58544, 58925,
    59287, 59632, 59959, 60270, 60565, 60844, 61109, 61360, 61598, 61823, 62036, 62238,
    62428, 62608, 62778, 62938, 63090, 63233, 63368, 63495, 63615, 63728, 63835, 63935,
    64030, 64119, 64203, 64283, 64357, 64427, 64494, 64556, 64614, 64669, 64721, 64770,
    64816, 64859, 64900, 64938, 64974, 65008, 65039, 65069, 65097, 65124, 65149, 65172,
    65194, 65215, 65234, 65252, 65269, 65285, 65300, 65315, 65328, 65341, 65352, 65364,
    65374, 65384, 65393, 65402, 65410, 65417, 65425, 65431, 65438, 65444, 65449, 65454,
    65459, 65464, 65468, 65472, 65476, 65480, 65483, 65486, 65489, 65492, 65495, 65497,
    65500, 65502, 65504, 65506, 65508, 65509, 65511, 65513, 65514, 65515, 65517, 65518,
    65519, 65520, 65521, 65522, 65523, 65523, 65524, 65525, 65526, 65526, 65527, 65527,
    65528, 65528, 65529, 65529, 65530, 65530, 65530, 65531, 65531, 65531, 65532, 65532,
    65532, 65532, 65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65536, 65536, 65536,
    65536,
};

/* 2^16 Phi(i / 16 / 1.7), of the normal distribution. */
static const uint32_t NORMAL[193] = {
    32768, 33729, 34689, 35646, 36599, 37547, 38489, 39423, 40348, 41264, 42168, 43060,
    43939, 44804, 45654, 46488, 47305, 48104, 48886, 49649, 50392, 51115, 51819, 52501,
    53163, 53804, 54423, 55021, 55598, 56153, 56687, 57200, 57691, 58162, 58612, 59042,
    59452, 59843, 60215, 60568, 60903, 61220, 61520, 61804, 62071, 62323, 62561, 62784,
    62993, 63189, 63372, 63544, 63704, 63853, 63992, 64121, 64241, 64352, 64455, 64551,
    64638, 64719, 64794, 64863, 64926, 64983, 65036, 65085, 65129, 65169, 65206, 65240,
    65270, 65297, 65322, 65345, 65365, 65384, 65400, 65415, 65429, 65441, 65452, 65461,
    65470, 65478, 65485, 65491, 65496, 65501, 65505, 65509, 65512, 65515, 65518, 65520,
    65522, 65524, 65526, 65527, 65528, 65529, 65530, 65531, 65532, 65532, 65533, 65533,
    65534, 65534, 65534, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536,
    65536,
};

/* 10 * 1.2^k: widths of the distributions, in 1/256 of a sample. */
static const uint32_t SCALE[SCALES] = {
    10, 12, 14, 17, 21, 25, 30, 36, 43, 52, 62, 74,
    89, 107, 128, 154, 185, 222, 266, 319, 383, 460, 552, 662,
    795, 954, 1145, 1374, 1648, 1978, 2374, 2849, 3418, 4102, 4922, 5907,
    7088, 8506, 10207, 12248, 14698, 17637, 21165, 25398, 30477, 36573, 43887, 52665,
};

/* ---- Distributions ---------------------------------------------------------------------- */

static uint32_t between(const uint32_t *table, uint32_t u) /* u in 1/4096 */
{
    uint32_t at = u >> 8;
    return at >= 192 ? 65536 : table[at] + (((table[at + 1] - table[at]) * (u & 255)) >> 8);
}

/* The chance of less than `bound` / 32, in 1/65536, of a distribution of a shape and a width. */
static uint32_t cumulative(unsigned shape, uint32_t scale, int32_t bound)
{
    uint64_t u = ((uint64_t)(bound < 0 ? -bound : bound) << 15) / scale;
    uint32_t v = u > 1 << 20 ? 1 << 20 : (uint32_t)u, p;
    switch (shape) {
    case 0: p = between(LOGISTIC, v); break;
    case 1: p = (between(LOGISTIC, v * 3 / 2) + between(LOGISTIC, v * 3 / 5) + 1) / 2; break;
    case 2:
        p = (7 * between(LOGISTIC, v * 8 / 5) + 3 * between(LOGISTIC, v * 3 / 10) + 5) / 10;
        break;
    default: p = between(NORMAL, v);
    }
    return bound < 0 ? 65536 - p : p;
}

/* 256 log2(PROBS / frequency). */
static unsigned cost_of(unsigned frequency)
{
    unsigned whole = 0;
    while (frequency >> (whole + 1))
        whole++;
    uint64_t mantissa = ((uint64_t)frequency << 31) >> whole; /* 1 to 2, in 1/2^31 */
    unsigned log = whole << 8;
    for (unsigned bit = 128; bit; bit >>= 1) {
        mantissa = (mantissa * mantissa) >> 31;
        if (mantissa >> 32) {
            mantissa >>= 1;
            log |= bit;
        }
    }
    return (PROB_BITS << 8) - log;
}

static Divisor divisor_of(uint32_t start, uint32_t f)
{
    Divisor d = {.limit = f << (31 - PROB_BITS), .bias = start,
                 .complement = (uint16_t)(PROBS - f)};
    if (f < 2) {
        d.inverse = UINT32_MAX;
        d.bias = start + PROBS - 1;
        return d;
    }
    unsigned shift = 0;
    while (f > 1u << shift)
        shift++;
    d.inverse = (uint32_t)((((uint64_t)1 << (shift + 31)) + f - 1) / f);
    d.shift = (uint16_t)(shift - 1);
    return d;
}

static void build_one(Tables *t, unsigned family, unsigned phase)
{
    uint16_t *frequency = t->frequency[family][phase];
    unsigned shape = family / SCALES;
    uint32_t scale = SCALE[family % SCALES], before = 0, first = 0;
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        int32_t bound = 32 * (symbol - 128) + 16 - (8 * (int32_t)phase - 1);
        uint32_t p = (cumulative(shape, scale, bound) * (uint32_t)(PROBS - 1) + 32768) >> 16;
        if (symbol == 0)
            first = p;
        else
            frequency[symbol] = (uint16_t)(p - before);
        before = p;
    }
    frequency[0] = (uint16_t)(PROBS - (before - first));
    uint32_t at = 0;
    unsigned escape = cost_of(frequency[0]);
    for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
        unsigned f = frequency[symbol];
        Divisor *divisor = &t->divisor[family][phase][symbol];
        *divisor = f ? divisor_of(at, f) : (Divisor){0};
        divisor->shift |= !f || !symbol ? ESCAPE : 0;
        t->cost[family][phase][symbol] = (uint16_t)(f ? cost_of(f) : escape | NO_SLOTS);
        Slots *slots = &t->slots[family][phase];
        slots->start[symbol] = (uint16_t)at;
        for (uint32_t part = (at + SLOTS_OF_PART - 1) / SLOTS_OF_PART;
             part < (at + f + SLOTS_OF_PART - 1) / SLOTS_OF_PART; part++)
            slots->symbol[part] = (uint8_t)symbol;
        at += f;
    }
    t->slots[family][phase].start[SYMBOLS] = PROBS;
}

static Tables *build_tables(void)
{
    Tables *t = malloc(sizeof *t);
    if (!t)
        return NULL;
    for (unsigned family = 0; family < FAMILY; family++)
        for (unsigned phase = 0; phase < PHASES; phase++)
            build_one(t, family, phase);
    for (unsigned level = 0; level < LEVELS; level++)
        memset(t->level + LEVEL_START[level], (int)level,
               (size_t)(LEVEL_START[level + 1] - LEVEL_START[level]));
    return t;
}

const Tables *tables(void)
{
    static Tables *built; /* for the life of the process */
    Tables *now = __atomic_load_n(&built, __ATOMIC_ACQUIRE);
    if (now)
        return now;
    Tables *made = build_tables(), *none = NULL;
    if (made && !__atomic_compare_exchange_n(&built, &none, made, false, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE)) {
        free(made); /* another thread was first */
        return none;
    }
    return made;
}

unsigned level_shift(unsigned level, unsigned bits, unsigned error_shift)
{
    if (bits <= 8)
        return 0;
    uint32_t samples = ((uint32_t)LEVEL_START[level] << error_shift) >> 4;
    unsigned shift = 0;
    while (samples >> (shift + 4))
        shift++;
    return shift;
}

/* ---- Frames ----------------------------------------------------------------------------- */

/* The frame of t's run that the others of it refer to; the last run may be shorter. */
static uint32_t centre_of(const Model *model, uint32_t t)
{
    uint32_t centre = t - t % RUN_FRAMES + RUN_FRAMES / 2;
    return centre < model->frames ? centre : model->frames - 1;
}

int64_t reference_of(const Model *model, uint32_t t)
{
    if (model->references == LPC_CHAIN)
        return (int64_t)t - 1;
    if (model->references == LPC_INTRA || centre_of(model, t) == t)
        return -1;
    return centre_of(model, t);
}

uint32_t frame_at(const Model *model, uint32_t place)
{
    if (model->references != LPC_CENTRE)
        return place;
    uint32_t centre = centre_of(model, place);
    if (place % RUN_FRAMES == 0)
        return centre;
    return place <= centre ? place - 1 : place;
}

bool geometry_make(Geometry *g, const LpcShape *shape)
{
    *g = (Geometry){.height = shape->height, .width = shape->width,
                    .steps = (int64_t)shape->width + 2 * ((int64_t)shape->height - 1)};
    size_t count = (size_t)g->steps + 2 * STEPS_BEFORE;
    g->start = malloc(count * sizeof *g->start);
    if (!g->start)
        return false;
    int64_t at = 0;
    for (int64_t s = -STEPS_BEFORE; s < g->steps + STEPS_BEFORE; s++) {
        int64_t low = step_low(g, s), high = step_high(g, s);
        int64_t n = high < low ? 0 : high - low + 1;
        if (n > g->longest)
            g->longest = (uint32_t)n;
        g->start[s + STEPS_BEFORE] = at + EDGE - low;
        at += n + 2 * EDGE;
    }
    g->cells = (size_t)at + VECTOR;
    return true;
}

void geometry_free(Geometry *g)
{
    free(g->start);
    g->start = NULL;
}

/* Memory of frames that is not in use. To get it anew from the system takes longer than to decode
 * into it. */
enum { KEPT = 16, MOST_KEPT = 4 << 20 /* bytes of each */ };
typedef struct {
    size_t size;
    uint16_t cells[];
} Memory;
static Memory *kept[KEPT];

static Memory *take_kept(size_t size)
{
    for (int i = 0; i < KEPT; i++) {
        Memory *found = __atomic_exchange_n(&kept[i], NULL, __ATOMIC_ACQ_REL), *none = NULL;
        if (found && found->size >= size && found->size / 2 <= size)
            return found;
        if (found && !__atomic_compare_exchange_n(&kept[i], &none, found, false, __ATOMIC_ACQ_REL,
                                                  __ATOMIC_ACQUIRE))
            free(found);
    }
    return NULL;
}

bool frame_alloc(Frame *frame, const Geometry *g)
{
    size_t size = 3 * g->cells * sizeof(uint16_t);
    Memory *memory = size <= MOST_KEPT ? take_kept(size) : NULL;
    if (!memory) {
        memory = malloc(sizeof *memory + size);
        if (memory)
            memory->size = size;
    }
    *frame = (Frame){.memory = memory};
    if (!memory)
        return false;
    frame->sample = (int16_t *)memory->cells;
    frame->error = memory->cells + g->cells;
    frame->difference = memory->cells + 2 * g->cells;
    return true;
}

void frame_free(Frame *frame)
{
    Memory *memory = frame->memory, *none = NULL;
    *frame = (Frame){0};
    for (int i = 0; i < KEPT && memory && memory->size <= MOST_KEPT; i++, none = NULL)
        if (__atomic_compare_exchange_n(&kept[i], &none, memory, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return;
    free(memory);
}

void fill_before(Frame *frame, const Frame *reference, const Geometry *g, unsigned error_shift)
{
    int16_t first = reference ? reference->sample[step_at(g, 0)] : 0;
    int64_t count = step_at(g, 0) - EDGE;
    for (int64_t i = 0; i < count; i++) {
        frame->sample[i] = first;
        frame->error[i] = (uint16_t)(16 >> error_shift);
        frame->difference[i] = 0;
    }
}

static inline void repeat(Frame *frame, int64_t to, int64_t from)
{
    frame->sample[to] = frame->sample[from];
    frame->error[to] = frame->error[from];
    frame->difference[to] = frame->difference[from];
}

void fill_edges(Frame *frame, const Geometry *g, int64_t s)
{
    int64_t low = step_low(g, s), high = step_high(g, s), width = g->width, at = step_at(g, s);
    if (low == 0) { /* above: what is on the left, as nothing else is known */
        repeat(frame, at - 1, at);
        repeat(frame, at - 2, at);
    }
    if (s == 2 * high && high + 1 < (int64_t)g->height) { /* on the left: what is above */
        repeat(frame, at + high + 1, at + high);
        repeat(frame, step_at(g, s + 1) + high + 1, at + high);
    }
    if (s == 2 * low + width - 1) { /* on the right: the last of its row */
        repeat(frame, step_at(g, s + 1) + low, at + low);
        repeat(frame, step_at(g, s + 2) + low, at + low);
    }
}

void fill_below(Frame *frame, const Geometry *g)
{
    int64_t last = (int64_t)g->height - 1;
    for (int64_t x = -1; x <= (int64_t)g->width; x++) {
        int64_t from = step_at(g, x + 2 * last) + last, to = step_at(g, x + 2 * last + 2) + last + 1;
        repeat(frame, to, from);
    }
}

/* The cell of row y + dy, column x + dx, for the samples (y, x) of a step; from its first row. */
static int64_t cell(const Geometry *g, int64_t s, int dy, int dx)
{
    return step_at(g, s + dx + 2 * dy) + step_low(g, s) + dy;
}

void neighbours_of(const Frame *frame, const Frame *reference, const Frame *second,
                   const Geometry *g, int64_t s, Neighbours *found)
{
    /* W, N, NW, NE, WW, NN, and for frames without a reference NNE, NNW, NWW, NNEE. */
    static const int8_t NEAR[INTRA_TAPS][2] = {{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2},
                                               {-2, 0}, {-2, 1}, {-2, -1}, {-1, -2}, {-2, 2}};
    static const int8_t AROUND[5][2] = {{0, 0}, {0, -1}, {0, 1}, {-1, 0}, {1, 0}};
    int near = reference ? 6 : INTRA_TAPS;
    for (int k = 0; k < near; k++) {
        int64_t at = cell(g, s, NEAR[k][0], NEAR[k][1]);
        found->tap[k] = frame->sample + at;
        if (k < 6)
            found->near_error[k] = frame->error + at;
        if (k < 4)
            found->near_difference[k] = frame->difference + at;
    }
    found->intra = !reference;
    found->taps = near;
    found->base_tap = 0;
    if (!reference)
        return;
    for (int k = 0; k < 9; k++)
        found->tap[6 + k] = reference->sample + cell(g, s, k / 3 - 1, k % 3 - 1);
    for (int k = 0; k < 5; k++)
        found->reference_error[k] = reference->error + cell(g, s, AROUND[k][0], AROUND[k][1]);
    found->base_tap = 10;
    found->tap[15] = (second ? second : reference)->sample + cell(g, s, 0, 0);
    found->taps = TAPS;
}

bool scratch_alloc(Scratch *s, const Geometry *g)
{
    size_t n = (size_t)g->longest + VECTOR;
    uint8_t *memory = malloc(n * (4 * 2 + 1 + 4 + 2));
    s->memory = memory;
    if (!memory)
        return false;
    s->sum = (int32_t *)(void *)memory;
    s->base = (int16_t *)(void *)(memory + 4 * n);
    s->fraction = s->base + n;
    s->energy = (uint16_t *)s->fraction + n;
    s->class_of = s->energy + n;
    s->symbol = (uint8_t *)(s->class_of + n);
    s->words = s->symbol + n;
    return true;
}

void scratch_free(Scratch *s)
{
    free(s->memory);
    s->memory = NULL;
}

/* ---- Bits ------------------------------------------------------------------------------- */

static void put_byte(BitWriter *w)
{
    if (w->size == w->room) {
        size_t room = w->room ? 2 * w->room : 1024;
        uint8_t *more = realloc(w->data, room);
        if (!more) {
            w->failed = true;
            w->size = 0; /* what is written is lost: the caller looks at `failed` */
            if (!w->room)
                return;
        } else {
            w->data = more;
            w->room = room;
        }
    }
    w->data[w->size++] = (uint8_t)w->bits;
    w->bits >>= 8;
    w->count -= 8;
}

void put_bits(BitWriter *w, uint32_t value, unsigned count)
{
    w->bits |= (uint64_t)value << w->count;
    w->count += count;
    while (w->count >= 8)
        put_byte(w);
}

void put_golomb(BitWriter *w, uint32_t value, unsigned k)
{
    uint64_t above = (uint64_t)value + (1ull << k);
    unsigned length = 0;
    while (above >> (length + 1))
        length++;
    for (unsigned i = k; i < length; i++)
        put_bits(w, 0, 1);
    put_bits(w, 1, 1);
    put_bits(w, (uint32_t)(above & ((1ull << length) - 1)), length);
}

void put_signed(BitWriter *w, int32_t value, unsigned k)
{
    put_golomb(w, value < 0 ? 2 * (uint32_t)-(int64_t)value - 1 : 2 * (uint32_t)value, k);
}

void put_end(BitWriter *w)
{
    if (w->count % 8)
        put_bits(w, 0, 8 - w->count % 8);
}

uint32_t get_bits(BitReader *r, unsigned count)
{
    while (r->count < count) {
        if (r->at == r->size) {
            r->failed = true;
            return 0;
        }
        r->bits |= (uint64_t)r->data[r->at++] << r->count;
        r->count += 8;
    }
    uint32_t value = (uint32_t)(r->bits & ((1ull << count) - 1));
    r->bits >>= count;
    r->count -= count;
    return value;
}

uint32_t get_golomb(BitReader *r, unsigned k)
{
    unsigned length = k;
    while (!r->failed && !get_bits(r, 1))
        length++;
    if (r->failed || length > 31) {
        r->failed = true;
        return 0;
    }
    uint32_t low = get_bits(r, length);
    return (uint32_t)((1ull << length) + low - (1ull << k));
}

int32_t get_signed(BitReader *r, unsigned k)
{
    uint32_t value = get_golomb(r, k);
    return value & 1 ? (int32_t)(-(int64_t)(value >> 1) - 1) : (int32_t)(value >> 1);
}

/* ---- The configuration of a stream -------------------------------------------------------- */

enum { TAP_K = 7, OFFSET_K = 10, FAMILY_K = 1 };

static unsigned kinds_of(const Model *model)
{
    return model->references == LPC_INTRA ? 1 : KINDS;
}

static unsigned taps_of(unsigned kind)
{
    return kind == INTRA ? INTRA_TAPS : TAPS;
}

static unsigned classes_of(const Model *model, unsigned kind)
{
    return kind == INTRA ? 1 : model->classes;
}

void write_model(BitWriter *w, const Model *m)
{
    unsigned log = 0;
    while (1u << log < m->states)
        log++;
    put_bits(w, 0, 4); /* version of the codec */
    put_bits(w, m->references, 4);
    put_bits(w, log, 3);
    put_bits(w, m->error_shift, 4);
    put_bits(w, m->classes - 1, 2);
    for (unsigned i = 0; i + 1 < m->classes; i++)
        put_bits(w, m->threshold[i], 16);
    for (unsigned kind = 0; kind < kinds_of(m); kind++)
        for (unsigned class = 0; class < classes_of(m, kind); class++) {
            const Coefficients *set = &m->set[kind][class];
            for (unsigned i = 0; i < taps_of(kind); i++)
                put_signed(w, set->tap[i], TAP_K);
            put_signed(w, set->offset, OFFSET_K);
        }
    for (unsigned kind = 0; kind < kinds_of(m); kind++) {
        unsigned last = LEVELS, before = 0;
        while (last && m->context[kind][last - 1].family == NO_FAMILY)
            last--;
        put_bits(w, last, 5); /* of levels beyond it there are none */
        for (unsigned level = 0; level < last; level++) {
            unsigned family = m->context[kind][level].family;
            put_bits(w, family < FAMILY, 1);
            if (family == NO_FAMILY)
                continue;
            put_bits(w, family / SCALES, 2);
            put_signed(w, (int32_t)(family % SCALES) - (int32_t)before, FAMILY_K);
            before = family % SCALES;
        }
    }
    put_end(w);
}

static const char *read_sets(BitReader *r, Model *m)
{
    for (unsigned kind = 0; kind < kinds_of(m); kind++)
        for (unsigned class = 0; class < classes_of(m, kind); class++) {
            Coefficients *set = &m->set[kind][class];
            int32_t size = 0;
            for (unsigned i = 0; i < taps_of(kind); i++) {
                int32_t tap = get_signed(r, TAP_K);
                if (tap < -32767 || tap > 32767)
                    return "has a coefficient out of range";
                size += tap < 0 ? -tap : tap;
                set->tap[i] = (int16_t)tap;
            }
            set->offset = get_signed(r, OFFSET_K);
            if (size > 32767 || set->offset < -(1 << 29) || set->offset > 1 << 29)
                return "has coefficients out of range";
        }
    return r->failed ? "ends within its coefficients" : NULL;
}

static const char *read_contexts(BitReader *r, unsigned bits, Model *m)
{
    for (unsigned kind = 0; kind < kinds_of(m); kind++) {
        unsigned last = get_bits(r, 5);
        int32_t before = 0;
        for (unsigned level = 0; level < LEVELS; level++) {
            Context *context = &m->context[kind][level];
            *context = (Context){0, (uint8_t)level_shift(level, bits, m->error_shift)};
            if (level >= last || !get_bits(r, 1))
                continue;
            unsigned shape = get_bits(r, 2);
            int32_t more = get_signed(r, FAMILY_K);
            before += more < -SCALES || more > SCALES ? 2 * SCALES : more;
            if (before < 0 || before >= SCALES)
                return "names a distribution that does not exist";
            context->family = (uint8_t)(shape * SCALES + (unsigned)before);
        }
    }
    return r->failed ? "ends within its contexts" : NULL;
}

const char *read_model(LpcBytes bytes, unsigned bits, Model *m)
{
    BitReader r = {.data = bytes.data, .size = bytes.size};
    *m = (Model){0};
    if (get_bits(&r, 4))
        return "is of a newer lpc: upgrade h5vidstack";
    unsigned references = get_bits(&r, 4);
    if (references >= LPC_REFERENCES)
        return "refers to frames in an unknown way: upgrade h5vidstack";
    m->references = (LpcReferences)references;
    m->states = 1u << get_bits(&r, 3);
    m->error_shift = get_bits(&r, 4);
    m->classes = get_bits(&r, 2) + 1;
    if (m->states > MAX_STATES)
        return "has more states than can be";
    for (unsigned i = 0; i + 1 < m->classes; i++)
        m->threshold[i] = (uint16_t)get_bits(&r, 16);
    const char *wrong = read_sets(&r, m);
    if (!wrong)
        wrong = read_contexts(&r, bits, m);
    if (!wrong && r.at != r.size)
        wrong = "has bytes that nothing claims";
    return wrong;
}
