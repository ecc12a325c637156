/* What encoder and decoder of lpc share: the model of a stream, its tables, rows of samples. */
#ifndef H5VIDSTACK_LPC_MODEL_H
#define H5VIDSTACK_LPC_MODEL_H

#include "lpc.h"

enum {
    TAPS = 16,        /* of a frame with a reference */
    INTRA_TAPS = 10,  /* of one without */
    CLASSES = 4,
    RUN_FRAMES = 4,   /* of a run, where frames refer to one in its centre */
    LEVELS = 31,      /* of expected error */
    SCALES = 48,
    SHAPES = 4,
    FAMILY = SCALES * SHAPES,
    NO_FAMILY = FAMILY, /* the number of none */
    PHASES = 4,       /* of a prediction between two whole samples */
    PROB_BITS = 12,
    PROBS = 1 << PROB_BITS,
    SYMBOLS = 256,    /* 0 is the escape, s stands for the residual s - 128 */
    ENERGY = 2048,    /* errors and their means are below it */
    MAX_STATES = 64,
    STATE_LEAST = 1 << 15, /* states of rANS are from here to 2^31 - 1 */
    EDGE = 2,         /* samples beyond an edge that a step keeps */
    VECTOR = 32,      /* samples behind the last one that vector code may read */
    STEPS_BEFORE = 5, /* steps before the first, and behind the last, that a plane keeps */
    ONE = 4096,       /* a coefficient of 1 */
    MAX_DIFFERENCE = 8191,
};

/* Frames without a reference, and with one. */
enum { INTRA, INTER, KINDS };

/* A set of coefficients. */
typedef struct {
    int16_t tap[TAPS];
    int32_t offset;
} Coefficients;

/* Which distribution a context has. */
typedef struct {
    uint8_t family; /* shape * SCALES + scale */
    uint8_t shift;  /* low bits of residuals that are stored as they are */
} Context;

typedef struct {
    LpcReferences references;
    uint32_t frames;      /* of the stream; not a part of its configuration */
    unsigned states;      /* of rANS, interleaved */
    unsigned error_shift; /* errors are kept in units of 2^error_shift / 16 samples */
    unsigned classes;
    uint16_t threshold[CLASSES - 1];
    Coefficients set[KINDS][CLASSES]; /* frames without a reference have one class */
    Context context[KINDS][LEVELS];
} Model;

enum {
    PARTS = 1024, /* of all slots */
    SLOTS_OF_PART = PROBS / PARTS,
};

/* What the decoder needs of a distribution, side by side. It is small, so that the tables of all
 * contexts fit into the caches. */
typedef struct {
    uint8_t symbol[PARTS];        /* of the first slot of each part */
    uint16_t start[SYMBOLS + 2]; /* the first slot of each symbol, then PROBS */
} Slots;

/* x / frequency by a product, exact for x < 2^31; after Alverson (1991), as in ryg_rans. */
enum { ESCAPE = 32 }; /* in `shift`: samples with this symbol are written as they are */
typedef struct {
    uint32_t limit;    /* of the state before a word is put out */
    uint32_t inverse, bias;
    uint16_t complement, shift;
} Divisor;

enum { NO_SLOTS = 1 << 15 };

/* Constants that both sides build once. */
typedef struct {
    uint16_t frequency[FAMILY][PHASES][SYMBOLS];
    Divisor divisor[FAMILY][PHASES][SYMBOLS];
    Slots slots[FAMILY][PHASES];
    /* In 1/256 bit; of an escape without its sample. With NO_SLOTS: of an escape instead. */
    uint16_t cost[FAMILY][PHASES][SYMBOLS];
    uint8_t level[ENERGY];                  /* of a mean error */
} Tables;

const Tables *tables(void); /* NULL where there is no memory */

extern const uint16_t LEVEL_START[LEVELS + 1];

/* Low bits that residuals of a level keep as they are. */
unsigned level_shift(unsigned level, unsigned bits, unsigned error_shift);

/* The frame that frame t refers to, or -1. */
int64_t reference_of(const Model *model, uint32_t t);
/* The frame that is coded at a place, so that references come before what refers to them. */
uint32_t frame_at(const Model *model, uint32_t place);

/* Where the samples of a frame lie.
 *
 * A frame is coded in *steps*: step s holds the samples with x + 2 y = s, by rising y. The
 * neighbours of a sample on the left, above, and above to the right are all of earlier steps, so
 * the samples of a step do not wait for each other. A step is stored without a gap, between two
 * samples on each side that are beyond the frame's edge.
 */
typedef struct {
    uint32_t height, width;
    int64_t steps;   /* width + 2 (height - 1) */
    uint32_t longest; /* samples of a step at most */
    size_t cells;    /* of a plane */
    int64_t *start;  /* of step s, from -STEPS_BEFORE: the place of row 0, if it were there */
} Geometry;

static inline int64_t step_low(const Geometry *g, int64_t s) /* its first row */
{
    return s < (int64_t)g->width ? 0 : (s - (int64_t)g->width) / 2 + 1;
}

static inline int64_t step_high(const Geometry *g, int64_t s) /* its last row */
{
    int64_t high = s < 0 ? -1 : s / 2;
    return high < (int64_t)g->height ? high : (int64_t)g->height - 1;
}

static inline int64_t step_at(const Geometry *g, int64_t s)
{
    return g->start[s + STEPS_BEFORE];
}

bool geometry_make(Geometry *geometry, const LpcShape *shape); /* false: no memory */
void geometry_free(Geometry *geometry);

typedef struct {
    int16_t *sample;      /* less half the range */
    uint16_t *error;      /* of the prediction */
    uint16_t *difference; /* to the reference */
    void *memory;
} Frame;

bool frame_alloc(Frame *frame, const Geometry *geometry);
void frame_free(Frame *frame);

/* Fill what lies before a frame's first step. */
void fill_before(Frame *frame, const Frame *reference, const Geometry *g, unsigned error_shift);
/* Fill the cells beyond the edges that become known with a step. */
void fill_edges(Frame *frame, const Geometry *g, int64_t s);
/* Repeat the last row below the frame. */
void fill_below(Frame *frame, const Geometry *g);

/* ---- cells.c: samples between rows and steps ---- */

/* Samples of `size` bytes of a frame's rows, which lie end to end. */
void take_samples(const void *samples, unsigned size, unsigned bits, const Geometry *geometry,
                  int16_t *sample);
/* Samples to rows; the frame's first one is number `first` of `out`. */
void give_samples(const int16_t *sample, const Geometry *geometry, unsigned bits,
                  const LpcOutput *out, size_t first);

/* What the samples of a step are predicted from. */
typedef struct {
    const int16_t *tap[TAPS];
    int taps;
    unsigned base_tap; /* the tap that stands for the sample itself */
    const uint16_t *near_error[6];      /* W, N, NW, NE, WW, NN */
    const uint16_t *reference_error[5]; /* the place itself, left, right, above, below */
    const uint16_t *near_difference[4]; /* W, N, NW, NE */
    bool intra;
} Neighbours;

void neighbours_of(const Frame *frame, const Frame *reference, const Frame *second,
                   const Geometry *g, int64_t s, Neighbours *found);

typedef struct {
    int16_t *base;     /* the prediction, to the nearest sample */
    int16_t *fraction; /* what it is above that, in 1/16, plus 2: 0 to 15 */
    uint16_t *energy;  /* expected error, 0 to ENERGY - 1 */
    uint16_t *class_of;
    uint8_t *symbol;
    int32_t *sum;      /* for the portable path */
    uint8_t *words;    /* of the end of a packet, then zeros */
    void *memory;
} Scratch;

enum {
    FEATURES = TAPS,        /* of least squares: taps less the base, and a constant */
    COLUMNS = FEATURES + 1, /* and the sample itself */
    CLAMP = 2047,           /* of differences */
};

bool scratch_alloc(Scratch *scratch, const Geometry *g);
void scratch_free(Scratch *scratch);

/* Vector code, in a portable and an AVX2 version. */
typedef struct {
    const char *name;
    void (*classify)(const Neighbours *near, const Model *model, uint32_t n, Scratch *s);
    void (*energy)(const Neighbours *near, uint32_t n, Scratch *s);
    void (*predict)(const Neighbours *near, const Coefficients *sets, unsigned classes,
                    unsigned bits, uint32_t n, Scratch *s);
    /* Errors of samples that are known, and differences where there is a reference. */
    void (*note)(const int16_t *sample, const int16_t *reference, const Scratch *s, uint32_t n,
                 unsigned error_shift, uint16_t *error, uint16_t *difference);
    void (*differ)(const int16_t *sample, const int16_t *reference, uint32_t n,
                   uint16_t *difference);
    /* Taps and samples less the base tap, within CLAMP: rows of `stride`; the base is left out. */
    void (*features)(const Neighbours *near, const int16_t *sample, uint32_t n, int16_t *rows,
                     size_t stride);
    /* Sums of products of `count` rows of `n` values, |value| < 2048; n at most 512. */
    void (*products)(const int16_t *rows, size_t stride, unsigned count, uint32_t n,
                     int64_t *sums);
} Kernels;

const Kernels *kernels(void);

/* Bits, least significant first. */
typedef struct {
    uint8_t *data;
    size_t size, room;
    uint64_t bits;
    unsigned count;
    bool failed; /* no memory */
} BitWriter;

void put_bits(BitWriter *writer, uint32_t value, unsigned count); /* at most 32 */
void put_golomb(BitWriter *writer, uint32_t value, unsigned k);
void put_signed(BitWriter *writer, int32_t value, unsigned k);
void put_end(BitWriter *writer);

typedef struct {
    const uint8_t *data;
    size_t size, at;
    uint64_t bits;
    unsigned count;
    bool failed; /* past the end, or a number of over 32 bits */
} BitReader;

uint32_t get_bits(BitReader *reader, unsigned count);
uint32_t get_golomb(BitReader *reader, unsigned k);
int32_t get_signed(BitReader *reader, unsigned k);

void write_model(BitWriter *writer, const Model *model);
/* NULL, or what is wrong. */
const char *read_model(LpcBytes bytes, unsigned bits, Model *model);

#endif
