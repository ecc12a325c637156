/* Chunks that were decoded last.
 *
 * HDF5's own chunk cache, 1 MiB as a rule, is too small for most chunks of frames: without this
 * one, each frame that a program asks for would decode its chunk again. The last chunk is kept once a
 * program has asked for one again, until it asks for some only once: who reads all is not to wait for
 * copies, which cost time beside a fast codec.
 * More of them (tiles beside each other, frames whose order was changed) are kept only once a chunk
 * that was dropped had to be decoded again. What is not kept is still known, and kept the next time.
 * Chunks are found by their whole blocks and parameters, so nothing must tell us of other files.
 */

#include "library.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    MOST_BYTES = 256 << 20, /* as h5vidstack.open: a row of tiles of a large stack */
    MOST_CHUNKS = 64,       /* so that looking through them costs nothing */
    MOST_ONCE = 3,          /* chunks that may each be asked for once before they are not kept */
};

typedef struct {
    size_t packed, bytes;
    unsigned values[PARAMETERS];
    uint32_t crc;  /* of the block, as it says itself */
    uint8_t *data; /* the chunk, then its block; NULL: it was dropped */
    size_t room;   /* bytes that `data` can hold */
} Entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Entry entries[MOST_CHUNKS]; /* the last used first */
static unsigned known;             /* entries in use */
static unsigned kept = 1;          /* entries that may have data */
static unsigned once = MOST_ONCE;  /* chunks since one was asked for again */

static uint32_t crc_of(const uint8_t *block, size_t packed)
{
    return packed < 8 ? 0 : little32(block + 4);
}

/* The place of a chunk, or `known`; it may have been dropped. */
static unsigned look_up(const unsigned *values, const uint8_t *block, size_t packed)
{
    unsigned place = 0;
    for (; place < known; place++) {
        const Entry *entry = &entries[place];
        bool same = entry->packed == packed && entry->crc == crc_of(block, packed) &&
                    !memcmp(entry->values, values, sizeof entry->values);
        if (same && (!entry->data || !memcmp(entry->data + entry->bytes, block, packed)))
            break;
    }
    return place;
}

/* Moves an entry to the front; the others keep their order. */
static void to_front(unsigned place)
{
    Entry entry = entries[place];
    memmove(entries + 1, entries, place * sizeof entry);
    entries[0] = entry;
}

/* Drops data beyond `kept` chunks and MOST_BYTES, of which `bytes` are for a new chunk. Gives the
 * memory of one that can hold so many, or NULL: to use it again saves page faults. */
static uint8_t *make_room(size_t bytes, size_t *room)
{
    uint8_t *spare = NULL;
    size_t held = bytes;
    for (unsigned place = 0; place < known; place++) {
        Entry *entry = &entries[place];
        held += entry->data ? entry->room : 0;
        if (!entry->data || (held <= MOST_BYTES && place + 1 < kept))
            continue;
        if (!spare && entry->room >= bytes && entry->room / 2 <= bytes) {
            spare = entry->data;
            *room = entry->room;
        } else {
            free(entry->data);
        }
        entry->data = NULL;
    }
    return spare;
}

bool recall(const unsigned *values, const uint8_t *block, size_t packed, uint8_t *out)
{
    pthread_mutex_lock(&lock);
    unsigned place = look_up(values, block, packed);
    bool found = place < known && entries[place].data;
    if (found && out) {
        once = 0;
        to_front(place);
        memcpy(out, entries[0].data, entries[0].bytes);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void keep(const unsigned *values, const uint8_t *block, size_t packed, const uint8_t *chunk,
          size_t bytes)
{
    if (bytes > MOST_BYTES || packed > MOST_BYTES - bytes)
        return;
    pthread_mutex_lock(&lock);
    unsigned place = look_up(values, block, packed);
    if (place < known && place >= kept)
        kept = place + 1; /* with so many it would not have been dropped */
    once = place < known ? 0 : once + 1;
    if (place < known && entries[place].data) { /* another thread was first */
        pthread_mutex_unlock(&lock);
        return;
    }
    size_t room = bytes + packed + packed / 4; /* for another block of the chunk's size, too */
    uint8_t *data = make_room(bytes + packed, &room);
    if (once > MOST_ONCE) {
        free(data);
        data = NULL;
    } else if (!data) {
        data = malloc(room);
    }
    if (place == known)
        place = known < MOST_CHUNKS ? known++ : known - 1;
    free(entries[place].data); /* of the one that is forgotten */
    to_front(place);
    entries[0] = (Entry){.packed = packed, .bytes = bytes,
                         .crc = crc_of(block, packed), .data = data, .room = room};
    memcpy(entries[0].values, values, sizeof entries[0].values);
    if (data) {
        memcpy(data, chunk, bytes);
        memcpy(data + bytes, block, packed);
    }
    pthread_mutex_unlock(&lock);
}

/* HDF5 unloads its plugins when it ends. */
__attribute__((destructor)) static void forget(void)
{
    while (known)
        free(entries[--known].data);
}
