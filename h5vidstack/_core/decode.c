/* The decoder of lpc: integers only; every length, reference and number is checked before use. */

#include "model.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of a packet while it is decoded. */
typedef struct {
    uint32_t state[MAX_STATES];
    const uint8_t *at, *end; /* of rANS words */
    BitReader raw;           /* low bits and escaped samples */
} Packet;

static uint32_t little32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool open_packet(LpcBytes bytes, unsigned states, Packet *packet)
{
    /* How many words there are, seven bits a byte, the lowest first. */
    uint64_t words = 0;
    size_t at = 0;
    do {
        if (at == bytes.size || at == 5)
            return false;
        words |= (uint64_t)(bytes.data[at] & 127) << 7 * at;
    } while (bytes.data[at++] & 128);
    size_t head = at + 4 * (size_t)states;
    if (bytes.size < head || words > (bytes.size - head) / 2)
        return false;
    for (unsigned i = 0; i < states; i++)
        packet->state[i] = little32(bytes.data + at + 4 * i);
    packet->at = bytes.data + head;
    packet->end = packet->at + 2 * words;
    packet->raw = (BitReader){.data = packet->end, .size = bytes.size - head - 2 * words};
    return true;
}

static inline uint32_t little16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Where the slots of a context are: at `family`, and `phase` beyond that where phases count. */
typedef struct {
    uint32_t family[ENERGY]; /* in bytes */
    uint32_t phases[ENERGY]; /* a mask */
    uint32_t phase[16];      /* of a fraction, in bytes */
} Lookup;

/* Decode a symbol for each of some samples, by a state each. */
static inline const uint8_t *decode_some(uint32_t *restrict state, uint32_t some, bool shifts,
                                         const Lookup *lookup, const uint8_t *tables,
                                         const uint16_t *energy, const int16_t *fraction,
                                         const uint8_t *at, uint8_t *restrict symbol)
{
    for (uint32_t j = 0; j < some; j++) {
        uint32_t x = state[j], slot = x & (PROBS - 1), phase = lookup->phase[fraction[j]];
        if (shifts)
            phase &= lookup->phases[energy[j]];
        const Slots *slots = (const Slots *)(const void *)(tables + lookup->family[energy[j]] +
                                                           phase);
        uint32_t found = slots->symbol[slot], interval = slots->interval[found];
        symbol[j] = (uint8_t)found;
        x = (interval & 0xFFFF) * (x >> PROB_BITS) + slot - (interval >> 16);
        /* Without a branch, as no processor could predict it. */
        uint32_t low = x < STATE_LEAST ? UINT32_MAX : 0, more = x << 16 | little16(at);
        state[j] = x ^ ((x ^ more) & low);
        at += low & 2;
    }
    return at;
}

/* Decode the symbols of a step. A packet that ends too early goes on with zeros. */
static void decode_symbols(Packet *packet, unsigned states, bool shifts, const Lookup *lookup,
                           const uint8_t *tables, uint32_t n, Scratch *s)
{
    const uint8_t *at = packet->at;
    for (uint32_t i = 0; i < n; i += states) {
        uint32_t some = n - i < states ? n - i : states;
        const uint16_t *energy = s->energy + i;
        const int16_t *fraction = s->fraction + i;
        uint8_t *symbol = s->symbol + i;
        size_t left = (size_t)(packet->end - at);
        uint8_t last[2 * MAX_STATES + 2] = {0};
        const uint8_t *from = at;
        if (left < 2 * (size_t)some) {
            memcpy(last, at, left);
            from = last;
        }
        const uint8_t *to = shifts
            ? decode_some(packet->state, some, true, lookup, tables, energy, fraction, from, symbol)
            : decode_some(packet->state, some, false, lookup, tables, energy, fraction, from,
                          symbol);
        size_t taken = (size_t)(to - from);
        at += taken < left ? taken : left;
    }
    packet->at = at;
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
    for (unsigned fraction = 0; fraction < 16; fraction++)
        d->lookup[0].phase[fraction] = d->lookup[1].phase[fraction] =
            (uint32_t)((fraction >> 2) * sizeof(Slots));
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

/* Samples of a step from its symbols; false where the packet ends too early. */
static bool undo_residuals(const Decoder *d, Packet *packet, uint32_t n, const Scratch *s,
                           int16_t *sample)
{
    if (!d->shifts) {
        uint8_t least = UINT8_MAX;
        for (uint32_t i = 0; i < n; i++) {
            sample[i] = (int16_t)(s->base[i] + s->symbol[i] - 128);
            least = s->symbol[i] < least ? s->symbol[i] : least;
        }
        if (least)
            return true;
    }
    int32_t half = 1 << (d->bits - 1);
    for (uint32_t i = 0; i < n; i++) {
        if (!s->symbol[i]) {
            sample[i] = (int16_t)((int32_t)get_bits(&packet->raw, d->bits) - half);
            continue;
        }
        unsigned shift = d->shift[s->energy[i]];
        if (!shift) {
            sample[i] = (int16_t)(s->base[i] + s->symbol[i] - 128);
            continue;
        }
        int32_t low = (int32_t)get_bits(&packet->raw, shift) - (1 << (shift - 1));
        sample[i] = (int16_t)(s->base[i] + (s->symbol[i] - 128) * (1 << shift) + low);
    }
    return !packet->raw.failed;
}

static bool decode_frame(const Decoder *d, LpcBytes bytes, uint32_t t, Frame *frame,
                         const Frame *reference, const Frame *second, Scratch *s)
{
    const Model *m = d->model;
    const Geometry *g = d->geometry;
    const Kernels *k = d->kernels;
    Packet packet;
    if (!open_packet(bytes, m->states, &packet))
        return false;
    fill_before(frame, reference, g, m->error_shift);
    unsigned group = group_of(m, t), classes = reference ? m->classes : 1;
    bool good = true;
    for (int64_t step = 0; step < g->steps; step++) {
        int64_t low = step_low(g, step), at = step_at(g, step) + low;
        uint32_t n = (uint32_t)(step_high(g, step) - low + 1);
        Neighbours near;
        neighbours_of(frame, reference, second, g, step, &near);
        if (classes > 1)
            k->classify(&near, m, n, s);
        k->energy(&near, n, s);
        k->predict(&near, m->set[group], classes, d->bits, n, s);
        decode_symbols(&packet, m->states, d->shifts, &d->lookup[reference != NULL],
                       (const uint8_t *)d->tables->slots, n, s);
        good &= undo_residuals(d, &packet, n, s, frame->sample + at);
        k->note(frame->sample + at, reference ? reference->sample + at : NULL, s, n,
                m->error_shift, frame->error + at, frame->difference + at);
        fill_edges(frame, g, step);
    }
    fill_below(frame, g);
    for (unsigned i = 0; i < m->states; i++)
        good &= packet.state[i] == STATE_LEAST; /* where the encoder began */
    return good && packet.at == packet.end && packet.raw.at == packet.raw.size;
}

static void give(const Frame *frame, const Geometry *g, unsigned bits, const LpcOutput *out,
                 uint32_t number)
{
    int32_t half = 1 << (bits - 1);
    for (Tile tile = {0}; next_tile(g, &tile);)
        for (uint32_t y = tile.top; y < tile.bottom; y++) {
            const int64_t *start = &g->start[2 * (int64_t)y + STEPS_BEFORE];
            const int16_t *sample = frame->sample + y;
            size_t at = number * out->frame + y * out->row, apart = out->sample;
            if (out->size == 1)
                for (uint32_t x = tile.left; x < tile.right; x++)
                    ((uint8_t *)out->data)[at + apart * x] = (uint8_t)(sample[start[x]] + half);
            else
                for (uint32_t x = tile.left; x < tile.right; x++)
                    ((uint16_t *)out->data)[at + apart * x] = (uint16_t)(sample[start[x]] + half);
        }
}

/* Marks the frames that frames `first` to `last - 1` need: `until[t]` is the last that needs t. */
static void mark_needed(const Model *m, uint32_t first, uint32_t last, uint32_t *until)
{
    memset(until, 0, last * sizeof *until);
    for (uint32_t t = last; t-- > 0;) {
        if (t >= first && !until[t])
            until[t] = t + 1;
        int64_t reference = until[t] ? reference_of(m->references, t) : -1;
        if (reference < 0)
            continue;
        if (until[reference] < t + 1)
            until[reference] = t + 1;
        int64_t second = reference_of(m->references, (uint32_t)reference);
        if (second >= 0 && until[second] < t + 1)
            until[second] = t + 1;
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
    for (uint32_t t = 0; t < last; t++) {
        if (!frames->until[t])
            continue;
        int64_t reference = reference_of(m->references, t);
        int64_t second = reference < 0 ? -1 : reference_of(m->references, (uint32_t)reference);
        if (!begin(frames, t, g))
            return LPC_NO_MEMORY;
        if (!decode_frame(d, packets[t], t, &frames->frame[t],
                          reference < 0 ? NULL : &frames->frame[reference],
                          second < 0 ? NULL : &frames->frame[second], s))
            return LPC_DAMAGED;
        if (t >= first)
            give(&frames->frame[t], g, d->bits, out, t - first);
        int64_t ends[] = {t, reference, second};
        for (int i = 0; i < 3; i++)
            if (ends[i] >= 0 && frames->until[ends[i]] == t + 1 && frames->frame[ends[i]].memory)
                release(frames, (uint32_t)ends[i]);
    }
    return LPC_OK;
}

LpcStatus lpc_decode(LpcBytes configuration, const LpcBytes *packets, const LpcShape *shape,
                     uint32_t first, uint32_t last, const LpcOutput *out, const char **reason)
{
    if (!shape->bits || shape->bits > 16 || (out->size == 1 && shape->bits > 8) ||
        !out->size || out->size > 2 || first > last || last > shape->frames || !shape->height || !shape->width)
        return LPC_BAD_ARGUMENT;
    Model *model = malloc(sizeof *model);
    Decoder *decoder = malloc(sizeof *decoder);
    Frames frames = {calloc(last + 1, sizeof(Frame)), calloc(last + 1, sizeof(uint32_t)), {0}};
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
    *decoder = (Decoder){.kernels = kernels(), .tables = tables(), .model = model,
                         .geometry = &geometry, .bits = shape->bits};
    build_lookup(decoder);
    status = decode_frames(decoder, packets, first, last, out, &frames, &scratch);
done:
    if (frames.frame)
        for (uint32_t t = 0; t < last; t++)
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
