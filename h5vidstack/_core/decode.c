/* The decoder of lpc: integers only; every length, reference and number is checked before use. */

#include "model.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of a packet while it is decoded: words of rANS from the front, raw bits (low bits, and
 * escaped samples) from the back. */
typedef struct {
    uint32_t state[MAX_STATES];
    const uint8_t *at, *end; /* of words */
    size_t raw, most;        /* bits that are read, and that there are */
    bool failed;             /* words or bits were read that are not there */
} Packet;

static uint64_t from_big_endian(uint64_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return bytes;
#else
    return __builtin_bswap64(bytes);
#endif
}

static uint32_t little32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool open_packet(LpcBytes bytes, unsigned states, Packet *packet)
{
    size_t head = 4 * (size_t)states;
    if (bytes.size < head)
        return false;
    for (unsigned i = 0; i < states; i++)
        packet->state[i] = little32(bytes.data + 4 * i);
    packet->at = bytes.data + head;
    packet->end = bytes.data + bytes.size;
    packet->raw = 0;
    packet->most = 8 * (bytes.size - head);
    packet->failed = false;
    return true;
}

/* Whether all of a packet was used, and no more. */
static bool at_end(const Packet *packet, unsigned states)
{
    bool good = !packet->failed && packet->at + (packet->raw + 7) / 8 == packet->end;
    for (unsigned i = 0; i < states; i++)
        good &= packet->state[i] == STATE_LEAST; /* where the encoder began */
    return good;
}

/* The next raw bits, at most 16. */
static inline uint32_t raw_bits(Packet *packet, unsigned count)
{
    size_t byte = packet->raw / 8, left = packet->most / 8 - byte;
    unsigned skip = packet->raw % 8;
    uint64_t bits = 0;
    if (packet->most - packet->raw < count) {
        packet->failed = true;
        return 0;
    }
    if (left >= sizeof bits) {
        memcpy(&bits, packet->end - byte - sizeof bits, sizeof bits);
        bits = from_big_endian(bits);
    } else {
        for (size_t i = 0; i < left; i++)
            bits |= (uint64_t)packet->end[-1 - (ptrdiff_t)(byte + i)] << 8 * i;
    }
    packet->raw += count;
    return (uint32_t)(bits >> skip) & ((1u << count) - 1);
}

static inline uint32_t little16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Where the slots of a context are: at `family`, and `phase` beyond that where phases count. */
typedef struct {
    uint32_t family[ENERGY]; /* in bytes */
    uint32_t phases[ENERGY]; /* a mask */
} Lookup;

/* Decode a symbol by a state, and read a word if the state needs one. */
static inline __attribute__((always_inline)) const uint8_t *decode_one(
    uint32_t *state, bool shifts, const Lookup *lookup, const uint8_t *tables, uint32_t energy,
    uint32_t fraction, const uint8_t *at, uint8_t *symbol)
{
    uint32_t x = *state, slot = x & (PROBS - 1);
    uint32_t phase = (fraction >> 2) * (uint32_t)sizeof(Slots);
    if (shifts)
        phase &= lookup->phases[energy];
    const Slots *slots = (const Slots *)(const void *)(tables + lookup->family[energy] + phase);
    uint32_t found = slots->symbol[slot / SLOTS_OF_PART];
    while (slot >= slots->start[found + 1]) /* most parts hold one symbol */
        found++;
    *symbol = (uint8_t)found;
    uint32_t start = slots->start[found], frequency = slots->start[found + 1] - start;
    x = frequency * (x >> PROB_BITS) + slot - start;
    /* Without a branch, as no processor could predict it. */
    uint32_t low = x < STATE_LEAST ? UINT32_MAX : 0, more = x << 16 | little16(at);
    *state = x ^ ((x ^ more) & low);
    return at + (low & 2);
}

/* Decode some symbols by the states in turn. Words are read from `at`, two bytes a symbol at most. */
static inline __attribute__((always_inline)) const uint8_t *decode_some(
    uint32_t *restrict state, unsigned states, bool shifts, const Lookup *lookup,
    const uint8_t *tables, const uint16_t *energy, const int16_t *fraction, uint32_t n,
    const uint8_t *at, uint8_t *restrict symbol)
{
    if (states <= 2) { /* they stay in registers */
        uint32_t first = state[0], second = states == 2 ? state[1] : 0, i = 0;
        for (; i + states <= n; i += states) {
            at = decode_one(&first, shifts, lookup, tables, energy[i], (uint32_t)fraction[i], at,
                            symbol + i);
            if (states == 2)
                at = decode_one(&second, shifts, lookup, tables, energy[i + 1],
                                (uint32_t)fraction[i + 1], at, symbol + i + 1);
        }
        if (i < n)
            at = decode_one(&first, shifts, lookup, tables, energy[i], (uint32_t)fraction[i], at,
                            symbol + i);
        state[0] = first;
        if (states == 2)
            state[1] = second;
        return at;
    }
    for (uint32_t i = 0; i < n; i += states) {
        uint32_t some = n - i < states ? n - i : states;
        for (uint32_t j = 0; j < some; j++)
            at = decode_one(state + j, shifts, lookup, tables, energy[i + j],
                            (uint32_t)fraction[i + j], at, symbol + i + j);
    }
    return at;
}

static const uint8_t *decode_step(uint32_t *state, unsigned states, bool shifts,
                                  const Lookup *lookup, const uint8_t *tables, uint32_t n,
                                  const uint8_t *at, const Scratch *s)
{
#define DECODE(states, shifts) \
    decode_some(state, states, shifts, lookup, tables, s->energy, s->fraction, n, at, s->symbol)
    switch (states) {
    case 1: return shifts ? DECODE(1, true) : DECODE(1, false);
    case 2: return shifts ? DECODE(2, true) : DECODE(2, false);
    default: return shifts ? DECODE(states, true) : DECODE(states, false);
    }
#undef DECODE
}

/* Decode the symbols of a step. A packet that ends too early goes on with zeros. */
static void decode_symbols(Packet *packet, unsigned states, bool shifts, const Lookup *lookup,
                           const uint8_t *tables, uint32_t n, const Scratch *s)
{
    size_t left = (size_t)(packet->end - packet->at), most = 2 * ((size_t)n + 1);
    if (left >= most) {
        packet->at = decode_step(packet->state, states, shifts, lookup, tables, n, packet->at, s);
        return;
    }
    memcpy(s->words, packet->at, left);
    memset(s->words + left, 0, most - left);
    size_t taken = (size_t)(decode_step(packet->state, states, shifts, lookup, tables, n, s->words,
                                        s) - s->words);
    packet->failed |= taken > left;
    packet->at += taken < left ? taken : left;
}

/* What a frame is decoded with. */
typedef struct {
    const Kernels *kernels;
    const Tables *tables;
    const Model *model;
    const Geometry *geometry;
    unsigned bits;
    Lookup lookup[2]; /* without a reference, with one */
    uint8_t shift[ENERGY];
    bool shifts;
} Decoder;

static void build_lookup(Decoder *d)
{
    for (unsigned energy = 0; energy < ENERGY; energy++) {
        unsigned level = d->tables->level[energy];
        d->shift[energy] = d->model->context[0][level].shift;
        d->shifts |= d->shift[energy] > 0;
        for (unsigned kind = 0; kind < 2; kind++) {
            Context context = d->model->context[kind][level];
            d->lookup[kind].family[energy] =
                (uint32_t)(context.family * sizeof d->tables->slots[0]);
            d->lookup[kind].phases[energy] = context.shift ? 0 : UINT32_MAX;
        }
    }
}

/* Samples of a step from its symbols. */
static void undo_residuals(const Decoder *d, Packet *packet, uint32_t n, const Scratch *s,
                           int16_t *sample)
{
    if (!d->shifts) {
        uint8_t least = UINT8_MAX;
        for (uint32_t i = 0; i < n; i++) {
            sample[i] = (int16_t)(s->base[i] + s->symbol[i] - 128);
            least = s->symbol[i] < least ? s->symbol[i] : least;
        }
        if (least)
            return;
    }
    int32_t half = 1 << (d->bits - 1);
    for (uint32_t i = 0; i < n; i++) {
        if (!s->symbol[i]) {
            sample[i] = (int16_t)((int32_t)raw_bits(packet, d->bits) - half);
            continue;
        }
        unsigned shift = d->shift[s->energy[i]];
        int32_t low = (int32_t)raw_bits(packet, shift) - ((1 << shift) >> 1);
        sample[i] = (int16_t)(s->base[i] + (s->symbol[i] - 128) * (1 << shift) + low);
    }
}

static bool decode_frame(const Decoder *d, LpcBytes bytes, Frame *frame, const Frame *reference,
                         const Frame *second, Scratch *s)
{
    const Model *m = d->model;
    const Geometry *g = d->geometry;
    const Kernels *k = d->kernels;
    Packet packet;
    if (!open_packet(bytes, m->states, &packet))
        return false;
    fill_before(frame, reference, g, m->error_shift);
    unsigned kind = reference ? INTER : INTRA, classes = reference ? m->classes : 1;
    for (int64_t step = 0; step < g->steps; step++) {
        int64_t low = step_low(g, step), at = step_at(g, step) + low;
        uint32_t n = (uint32_t)(step_high(g, step) - low + 1);
        Neighbours near;
        neighbours_of(frame, reference, second, g, step, &near);
        if (classes > 1)
            k->classify(&near, m, n, s);
        k->energy(&near, n, s);
        k->predict(&near, m->set[kind], classes, d->bits, n, s);
        decode_symbols(&packet, m->states, d->shifts, &d->lookup[kind],
                       (const uint8_t *)d->tables->slots, n, s);
        undo_residuals(d, &packet, n, s, frame->sample + at);
        k->note(frame->sample + at, reference ? reference->sample + at : NULL, s, n,
                m->error_shift, frame->error + at, frame->difference + at);
        fill_edges(frame, g, step);
    }
    fill_below(frame, g);
    return at_end(&packet, m->states);
}

/* The frame that a frame's reference refers to, or -1. */
static int64_t second_of(const Model *m, uint32_t t)
{
    int64_t reference = reference_of(m, t);
    return reference < 0 ? -1 : reference_of(m, (uint32_t)reference);
}

/* Marks the frames that frames `first` to `last - 1` need: until[t] is 1 more than the last place
 * that needs frame t. */
static void mark_needed(const Model *m, uint32_t first, uint32_t last, uint32_t *until)
{
    for (uint32_t place = m->frames; place-- > 0;) {
        uint32_t t = frame_at(m, place);
        if (t >= first && t < last && !until[t])
            until[t] = place + 1;
        int64_t needs[] = {reference_of(m, t), second_of(m, t)};
        for (int i = 0; until[t] && i < 2; i++)
            if (needs[i] >= 0 && until[needs[i]] < place + 1)
                until[needs[i]] = place + 1;
    }
}

typedef struct {
    Frame *frame;     /* of each number, allocated or not */
    uint32_t *until;
    Frame spare;      /* one that is not needed any more */
} Frames;

static bool begin(Frames *frames, uint32_t t, const Geometry *g)
{
    if (frames->spare.memory) {
        frames->frame[t] = frames->spare;
        frames->spare = (Frame){0};
        return true;
    }
    return frame_alloc(&frames->frame[t], g);
}

static void release(Frames *frames, uint32_t t)
{
    frame_free(&frames->spare);
    frames->spare = frames->frame[t];
    frames->frame[t] = (Frame){0};
}

static LpcStatus decode_frames(const Decoder *d, const LpcBytes *packets, uint32_t first,
                               uint32_t last, const LpcOutput *out, Frames *frames, Scratch *s)
{
    const Model *m = d->model;
    const Geometry *g = d->geometry;
    mark_needed(m, first, last, frames->until);
    for (uint32_t place = 0; place < m->frames; place++) {
        uint32_t t = frame_at(m, place);
        if (!frames->until[t])
            continue;
        int64_t reference = reference_of(m, t), second = second_of(m, t);
        if (!begin(frames, t, g))
            return LPC_NO_MEMORY;
        if (!decode_frame(d, packets[t], &frames->frame[t],
                          reference < 0 ? NULL : &frames->frame[reference],
                          second < 0 ? NULL : &frames->frame[second], s))
            return LPC_DAMAGED;
        if (t >= first && t < last)
            give_samples(frames->frame[t].sample, g, d->bits, out, (t - first) * out->frame);
        int64_t ends[] = {t, reference, second};
        for (int i = 0; i < 3; i++)
            if (ends[i] >= 0 && frames->until[ends[i]] == place + 1 &&
                frames->frame[ends[i]].memory)
                release(frames, (uint32_t)ends[i]);
    }
    return LPC_OK;
}

LpcStatus lpc_decode(LpcBytes configuration, const LpcBytes *packets, const LpcShape *shape,
                     uint32_t first, uint32_t last, const LpcOutput *out, const char **reason)
{
    if (!shape->bits || shape->bits > 16 || (out->size == 1 && shape->bits > 8) ||
        !out->size || out->size > 2 || first > last || last > shape->frames ||
        !shape->height || !shape->width)
        return LPC_BAD_ARGUMENT;
    Model *model = malloc(sizeof *model);
    Decoder *decoder = malloc(sizeof *decoder);
    size_t count = (size_t)shape->frames + 1;
    Frames frames = {calloc(count, sizeof(Frame)), calloc(count, sizeof(uint32_t)), {0}};
    Geometry geometry = {0};
    Scratch scratch = {0};
    LpcStatus status = LPC_NO_MEMORY;
    *reason = "is damaged: it ends too early or too late";
    if (!model || !decoder || !frames.frame || !frames.until || !tables() ||
        !geometry_make(&geometry, shape) || !scratch_alloc(&scratch, &geometry))
        goto done;
    const char *wrong = read_model(configuration, shape->bits, model);
    if (wrong) {
        *reason = wrong;
        status = LPC_DAMAGED;
        goto done;
    }
    model->frames = shape->frames;
    *decoder = (Decoder){.kernels = kernels(), .tables = tables(), .model = model,
                         .geometry = &geometry, .bits = shape->bits};
    build_lookup(decoder);
    status = decode_frames(decoder, packets, first, last, out, &frames, &scratch);
done:
    if (frames.frame)
        for (uint32_t t = 0; t < shape->frames; t++)
            frame_free(&frames.frame[t]);
    frame_free(&frames.spare);
    free(frames.frame);
    free(frames.until);
    scratch_free(&scratch);
    geometry_free(&geometry);
    free(decoder);
    free(model);
    return status;
}
