/* Fuzz lpc's C core: hostile streams are decoded, and arbitrary samples go there and back.
 *
 * From the project's folder, with clang and its runtime (Debian: clang, libclang-rt-14-dev):
 *
 *     CORE="h5vidstack/_core/model.c h5vidstack/_core/kernels.c h5vidstack/_core/cells.c
 *           h5vidstack/_core/encode.c h5vidstack/_core/decode.c"
 *     FLAGS="-g -O2 -std=gnu11 -ffp-contract=off -Ih5vidstack/_core"
 *     clang $FLAGS -DMAKE_SEEDS -o build/lpc_seeds benchmarks/lpc_fuzz.c $CORE -lm
 *     clang $FLAGS -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *         -fno-sanitize-coverage=trace-cmp \
 *         -o build/lpc_fuzz benchmarks/lpc_fuzz.c $CORE -lm
 *     mkdir -p build/lpc_corpus && build/lpc_seeds build/lpc_corpus
 *     build/lpc_fuzz -runs=2000000 -max_len=2048 -timeout=10 build/lpc_corpus
 *
 * With -DONLY_DECODE nothing is encoded, which takes most of the time, and nearly all runs are of
 * hostile streams.
 *
 * An input begins with eight bytes: what is done, with the sample's bits in the upper half; frames;
 * height; width; first frame; last frame; references and classes; row step and passes. What is done
 * is in the lower half: 15 is to encode samples, which is slow and thus rare; with bit 2 samples have
 * 2 bytes; with bit 3 the configuration is made from bytes that say what is in it, so that no check
 * refuses it. Else it stands behind its length in 2 bytes, as the packets do that come then.
 */

#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 8, MOST_FRAMES = 6, MOST_EDGE = 16, ENCODE = 15, WIDE = 4, MODEL = 8 };

typedef struct {
    unsigned flags, size;
    LpcShape shape;
    uint32_t first, last;
    LpcSettings settings;
} Task;

static Task task_of(const uint8_t *data)
{
    Task task = {.flags = data[0] & 15};
    task.shape = (LpcShape){1 + data[1] % MOST_FRAMES, 1 + data[2] % MOST_EDGE,
                            1 + data[3] % MOST_EDGE, 1 + (data[0] >> 4)};
    task.size = task.shape.bits > 8 || task.flags & WIDE ? 2 : 1;
    task.last = 1 + data[5] % task.shape.frames;
    task.first = data[4] % (task.last + 1);
    task.settings = (LpcSettings){(LpcReferences)(data[6] % LPC_REFERENCES),
                                  1 + (data[6] >> 2) % 4, 1 + data[7] % 8,
                                  1 + (data[7] >> 3) % 2};
    return task;
}

static size_t frame_bytes(const Task *task)
{
    return (size_t)task->shape.height * task->shape.width * task->size;
}

static void *exactly(const void *data, size_t size) /* a copy whose end the sanitizer watches */
{
    void *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    return size ? copy : (void *)((uint8_t *)copy + 1);
}

static void release(const void *copy, size_t size)
{
    free((void *)((uintptr_t)copy - (size ? 0 : 1)));
}

static LpcStatus decode(const Task *task, LpcBytes configuration, const LpcBytes *packets,
                        uint8_t *out)
{
    const char *reason = NULL;
    size_t row = task->shape.width;
    LpcOutput output = {out, task->size, row * task->shape.height, row, 1};
    LpcStatus status = lpc_decode(configuration, packets, &task->shape, task->first, task->last,
                                  &output, &reason);
    if (status == LPC_BAD_ARGUMENT || (status == LPC_DAMAGED && !reason))
        abort();
    return status;
}

static LpcBytes take(const uint8_t **at, const uint8_t *end)
{
    size_t left = (size_t)(end - *at), size = 0;
    if (left >= 2) {
        size = (*at)[0] | (size_t)(*at)[1] << 8;
        *at += 2;
        left -= 2;
    }
    if (size > left)
        size = left;
    LpcBytes part = {exactly(*at, size), size};
    *at += size;
    return part;
}

static uint32_t next(const uint8_t **at, const uint8_t *end, unsigned count)
{
    uint32_t value = 0;
    for (; count-- && *at < end; ++*at)
        value = value << 8 | **at;
    return value;
}

/* Coefficients as large as they may be; `left` is what their sizes may add up to. */
static void draw_set(const uint8_t **at, const uint8_t *end, unsigned taps, Coefficients *set)
{
    int32_t left = 32767;
    for (unsigned k = 0; k < taps; k++) {
        int32_t tap = (int16_t)next(at, end, 2);
        tap = tap < -left ? -left : tap > left ? left : tap;
        left -= tap < 0 ? -tap : tap;
        set->tap[k] = (int16_t)tap;
    }
    set->offset = (int32_t)next(at, end, 4) % ((1 << 29) + 1);
}

/* The configuration of a model that the input describes. */
static LpcBytes draw_configuration(const Task *task, const uint8_t **at, const uint8_t *end)
{
    Model model = {.references = task->settings.references, .classes = task->settings.classes};
    model.states = 1u << next(at, end, 1) % 7;
    model.error_shift = next(at, end, 1) % 16;
    unsigned kinds = model.references == LPC_INTRA ? 1 : KINDS;
    for (unsigned k = 0; k + 1 < model.classes; k++)
        model.threshold[k] = (uint16_t)next(at, end, 2);
    for (unsigned kind = 0; kind < kinds; kind++)
        for (unsigned k = 0; k < (kind ? model.classes : 1); k++)
            draw_set(at, end, kind ? TAPS : INTRA_TAPS, &model.set[kind][k]);
    for (unsigned kind = 0; kind < kinds; kind++)
        for (unsigned level = 0; level < LEVELS; level++)
            model.context[kind][level].family = (uint8_t)(next(at, end, 1) % (FAMILY + 1));
    BitWriter writer = {0};
    write_model(&writer, &model);
    Model again;
    LpcBytes found = {exactly(writer.data, writer.size), writer.size};
    if (read_model(found, task->shape.bits, &again) ||
        memcmp(again.set, model.set, sizeof model.set) != 0)
        abort();
    free(writer.data);
    return found;
}

static void decode_input(const Task *task, const uint8_t *at, const uint8_t *end)
{
    LpcBytes packets[MOST_FRAMES];
    LpcBytes configuration =
        task->flags & MODEL ? draw_configuration(task, &at, end) : take(&at, end);
    for (uint32_t t = 0; t < task->shape.frames; t++)
        packets[t] = take(&at, end);
    size_t size = (task->last - task->first) * frame_bytes(task);
    uint8_t *out = malloc(size ? size : 1), *other = malloc(size ? size : 1);
    if (!out || !other)
        abort();
    /* Both paths must agree on every stream. */
    lpc_force_portable(false);
    LpcStatus status = decode(task, configuration, packets, out);
    lpc_force_portable(true);
    if (decode(task, configuration, packets, other) != status)
        abort();
    if (status == LPC_OK && memcmp(out, other, size) != 0)
        abort();
    free(out);
    free(other);
    release(configuration.data, configuration.size);
    for (uint32_t t = 0; t < task->shape.frames; t++)
        release(packets[t].data, packets[t].size);
}

/* Samples: the input's bytes, then zeros, each within its bits. */
static void *samples_of(const Task *task, const uint8_t *data, size_t size)
{
    size_t total = task->shape.frames * frame_bytes(task);
    uint8_t *samples = calloc(total, 1);
    if (!samples)
        abort();
    memcpy(samples, data, size < total ? size : total);
    unsigned most = (1u << task->shape.bits) - 1;
    for (size_t i = 0; i < total / task->size; i++)
        if (task->size == 1)
            samples[i] &= (uint8_t)most;
        else
            ((uint16_t *)(void *)samples)[i] &= (uint16_t)most;
    return samples;
}

static void encode_input(const Task *task, const uint8_t *data, size_t size)
{
    void *samples = samples_of(task, data, size);
    bool portable = size & 1;
    LpcStream stream;
    lpc_force_portable(portable);
    if (lpc_encode(samples, task->size, &task->shape, &task->settings, &stream) != LPC_OK)
        abort();
    lpc_force_portable(!portable);
    size_t bytes = (task->last - task->first) * frame_bytes(task);
    uint8_t *out = malloc(bytes ? bytes : 1);
    if (!out || decode(task, stream.configuration, stream.packets, out) != LPC_OK)
        abort();
    if (memcmp(out, (uint8_t *)samples + task->first * frame_bytes(task), bytes) != 0)
        abort();
    free(out);
    free(samples);
    lpc_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    Task task = task_of(data);
#ifndef ONLY_DECODE
    if (task.flags == ENCODE) {
        encode_input(&task, data + HEAD, size - HEAD);
        return 0;
    }
#endif
    decode_input(&task, data + HEAD, data + size);
    return 0;
}

#ifdef MAKE_SEEDS
static void put(FILE *file, LpcBytes part)
{
    fputc((int)(part.size & 255), file);
    fputc((int)(part.size >> 8), file);
    fwrite(part.data, 1, part.size, file);
}

static void write_seed(const char *folder, unsigned number, const uint8_t *head)
{
    Task task = task_of(head);
    size_t total = task.shape.frames * frame_bytes(&task);
    uint8_t *noise = malloc(total);
    char name[4096];
    snprintf(name, sizeof name, "%s/seed%04u", folder, number);
    FILE *file = fopen(name, "wb");
    if (!noise || !file)
        abort();
    for (size_t i = 0; i < total; i++) /* a ramp with noise of rising strength */
        noise[i] = (uint8_t)(i / 7 + (unsigned)rand() % (1 + number % 50));
    void *samples = samples_of(&task, noise, total);
    fwrite(head, 1, HEAD, file);
    if (task.flags == ENCODE) {
        fwrite(samples, 1, total, file);
    } else {
        LpcStream stream;
        if (lpc_encode(samples, task.size, &task.shape, &task.settings, &stream) != LPC_OK)
            abort();
        put(file, stream.configuration);
        for (uint32_t t = 0; t < task.shape.frames; t++)
            put(file, stream.packets[t]);
        lpc_free(&stream);
    }
    fclose(file);
    free(samples);
    free(noise);
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    srand(1);
    for (unsigned number = 0; number < 400; number++) {
        uint8_t head[HEAD];
        for (int i = 0; i < HEAD; i++)
            head[i] = (uint8_t)rand();
        head[0] = (uint8_t)(number % 8 ? head[0] & ~8 : head[0] | ENCODE);
        head[1] %= 5; /* frames, height and width of small inputs */
        head[2] %= 12;
        head[3] %= 12;
        write_seed(arguments[1], number, head);
    }
    return 0;
}
#endif
