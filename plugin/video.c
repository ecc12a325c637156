/* Video to planes, by FFmpeg's decoders. libavcodec is loaded when the first video comes.
 *
 * Nothing here is compiled with FFmpeg's headers, since their structures differ between versions:
 * decoders are set up by options, which have names, and packets by functions. Only five fields are
 * read, at the beginning of AVFrame, where all versions from 59 to 62 have them in the same places.
 */

#include "library.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

enum {
    OLDEST = 59, /* majors of libavcodec whose interface is known: FFmpeg 5 */
    NEWEST = 62, /* FFmpeg 8 */
    MAX_UNITS = 16, /* NAL units of a packet: each may decode a whole picture */
    PADDING = 64,   /* AV_INPUT_BUFFER_PADDING_SIZE */
    LOG_QUIET = -8, /* AV_LOG_QUIET */
    AGAIN = -EAGAIN,
    END_OF_FILE = -0x20464F45, /* AVERROR_EOF */
};

/* The beginning of AVFrame (libavutil 57 to 60, frame.h). */
typedef struct {
    uint8_t *data[8];
    int linesize[8];
    uint8_t **extended_data;
    int width, height, samples, format;
} Picture;

typedef struct Context Context; /* AVCodecContext */
typedef struct Packet Packet;   /* AVPacket */

static unsigned (*avcodec_version)(void);
static const void *(*avcodec_find_decoder_by_name)(const char *);
static Context *(*avcodec_alloc_context3)(const void *codec);
static void (*avcodec_free_context)(Context **);
static int (*avcodec_open2)(Context *, const void *codec, void **options);
static int (*avcodec_send_packet)(Context *, const Packet *);
static int (*avcodec_receive_frame)(Context *, Picture *);
static Packet *(*av_packet_alloc)(void);
static void (*av_packet_free)(Packet **);
static void (*av_packet_unref)(Packet *);
static int (*av_packet_from_data)(Packet *, uint8_t *data, int size);
static Picture *(*av_frame_alloc)(void);
static void (*av_frame_free)(Picture **);
static void (*av_frame_unref)(Picture *);
static int (*av_opt_set)(void *, const char *name, const char *value, int flags);
static int (*av_opt_set_int)(void *, const char *name, int64_t value, int flags);
static void *(*av_mallocz)(size_t);
static void (*av_free)(void *);
static int (*av_get_pix_fmt)(const char *);
static const char *(*av_get_pix_fmt_name)(int);
static int (*av_log_get_level)(void);
static void (*av_log_set_level)(int);

#define SYMBOL(name) {#name, &name}
static const Library FFMPEG = {
    .variable = "H5VIDSTACK_LIBAVCODEC",
    .names = (const char *const[]){VERSIONED("libavcodec", "62"), VERSIONED("libavcodec", "61"),
                                   VERSIONED("libavcodec", "60"), VERSIONED("libavcodec", "59"),
                                   NULL},
    .beside = (const char *const[]){BESIDE("libavcodec"), OF_PYAV("libavcodec"), NULL},
    .missing = "a block holds video, and there is no FFmpeg 5 to 8: install its libavcodec "
               "(Debian: libavcodec59 or later), or name the file in H5VIDSTACK_LIBAVCODEC",
    .symbols = (const Symbol[]){
        SYMBOL(avcodec_version), SYMBOL(avcodec_find_decoder_by_name),
        SYMBOL(avcodec_alloc_context3), SYMBOL(avcodec_free_context), SYMBOL(avcodec_open2),
        SYMBOL(avcodec_send_packet), SYMBOL(avcodec_receive_frame), SYMBOL(av_packet_alloc),
        SYMBOL(av_packet_free), SYMBOL(av_packet_unref), SYMBOL(av_packet_from_data),
        SYMBOL(av_frame_alloc), SYMBOL(av_frame_free), SYMBOL(av_frame_unref), SYMBOL(av_opt_set),
        SYMBOL(av_opt_set_int), SYMBOL(av_mallocz), SYMBOL(av_free), SYMBOL(av_get_pix_fmt),
        SYMBOL(av_get_pix_fmt_name), SYMBOL(av_log_get_level), SYMBOL(av_log_set_level),
        {NULL, NULL},
    },
};

typedef struct {
    const char *decoder;
    bool told;  /* width, height and pixel format are not in the packets */
    bool units; /* packets are NAL units, in Annex B form */
    bool luma;  /* gray may be plane 0 of YUV */
    int margin; /* rows and columns around a picture that the decoder counts as pixels */
} Video;

static const Video VIDEO[CODECS] = {
    [X264] = {"h264", .units = true, .luma = true},
    [FFV1] = {"ffv1", .told = true},
    [MPEG4] = {"mpeg4", .luma = true, .margin = 256},
};

/* Names of pixel formats by depth. */
static const char *const GRAY[] = {[8] = "gray", [10] = "gray10le", [12] = "gray12le",
                                   [16] = "gray16le"};
static const char *const LUMA[][6] = {
    [8] = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"},
    [10] = {"yuv420p10le", "yuv422p10le", "yuv444p10le"},
    [16] = {NULL},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool find_ffmpeg(Error *error)
{
    if (!load(&FFMPEG, error))
        return false;
    unsigned major = avcodec_version() >> 16;
    return (major >= OLDEST && major <= NEWEST) ||
           fail(error, "libavcodec %u is not known to this plugin, which works with %d to %d "
                "(FFmpeg 5 to 8): name another in H5VIDSTACK_LIBAVCODEC", major, OLDEST, NEWEST);
}

/* FFmpeg's log is silent while any thread decodes here, and then as loud as the host had it. */
static unsigned log_users;
static int log_level;

static bool begin(Error *error)
{
    static bool ready;
    pthread_mutex_lock(&lock);
    bool good = ready = ready || find_ffmpeg(error);
    if (good && !log_users++) {
        log_level = av_log_get_level();
        av_log_set_level(LOG_QUIET);
    }
    pthread_mutex_unlock(&lock);
    return good;
}

static void end(void)
{
    pthread_mutex_lock(&lock);
    if (!--log_users && av_log_get_level() == LOG_QUIET)
        av_log_set_level(log_level);
    pthread_mutex_unlock(&lock);
}

typedef struct {
    Context *context;
    Packet *packet;
    Picture *picture;
} Decoder;

static void close_decoder(Decoder *decoder)
{
    avcodec_free_context(&decoder->context);
    av_packet_free(&decoder->packet);
    av_frame_free(&decoder->picture);
}

/* An edge as FFmpeg counts it: whole macroblocks, with room for alignment. */
static int64_t padded(uint32_t edge)
{
    return ((int64_t)edge + 63) / 64 * 64;
}

static bool set_options(Context *context, const Stream *stream, const Sink *sink)
{
    const Video *video = &VIDEO[stream->codec];
    char size[32];
    snprintf(size, sizeof size, "%ux%u", sink->width, sink->height);
    /* A hostile stream may name another size: FFmpeg shall refuse it before it allocates. */
    int64_t most = (padded(sink->height) + video->margin) * (padded(sink->width) + video->margin);
    most = most < INT_MAX ? most : INT_MAX;
    /* Without the flag FFmpeg 5 interpolates MPEG-4 by faster code that is off by one at times. */
    bool set = av_opt_set_int(context, "threads", 1, 0) >= 0 &&
               av_opt_set(context, "flags", "+bitexact", 0) >= 0 &&
               av_opt_set_int(context, "max_pixels", most, 0) >= 0;
    if (set && video->told)
        set = av_opt_set(context, "video_size", size, 0) >= 0 &&
              av_opt_set(context, "pixel_format", GRAY[stream->depth], 0) >= 0;
    return set;
}

static bool open_decoder(Decoder *decoder, const Stream *stream, const Sink *sink, Error *error)
{
    const char *name = VIDEO[stream->codec].decoder;
    const void *found = avcodec_find_decoder_by_name(name);
    if (!found)
        return fail(error, "this FFmpeg has no decoder %s", name);
    if (sink->height > INT_MAX || sink->width > INT_MAX)
        return fail(error, "a video of %ux%u", sink->height, sink->width);
    decoder->context = avcodec_alloc_context3(found);
    decoder->packet = av_packet_alloc();
    decoder->picture = av_frame_alloc();
    if (!decoder->context || !decoder->packet || !decoder->picture)
        return fail(error, "no memory for a decoder");
    if (!set_options(decoder->context, stream, sink))
        return fail(error, "this FFmpeg's decoder %s takes no options", name);
    if (avcodec_open2(decoder->context, found, NULL) < 0)
        return fail(error, "FFmpeg's %s refuses a stream of %ux%u", name, sink->height,
                    sink->width);
    return true;
}

/* At most MAX_UNITS start codes; within a unit there is none. */
static bool few_units(const uint8_t *packet, size_t size)
{
    unsigned units = 0;
    for (size_t i = 2; i < size && units <= MAX_UNITS; i++)
        units += packet[i] == 1 && !packet[i - 1] && !packet[i - 2];
    return units <= MAX_UNITS;
}

/* A copy, with the zeros behind it that FFmpeg's decoders may read. */
static bool fill_packet(Packet *packet, const Stream *stream, const uint8_t *data, uint32_t size,
                        Error *error)
{
    if (!size || size > INT_MAX / 2)
        return fail(error, "a packet of %u bytes", size);
    if (VIDEO[stream->codec].units && !few_units(data, size))
        return fail(error, "a packet of more than %d NAL units", MAX_UNITS);
    uint8_t *copy = av_mallocz((size_t)size + PADDING);
    if (!copy)
        return no_memory(error, size);
    memcpy(copy, data, size);
    if (av_packet_from_data(packet, copy, (int)size) < 0) {
        av_free(copy);
        return no_memory(error, size);
    }
    return true;
}

/* Whether a picture's plane 0 is gray of a stream's depth. */
static bool is_gray(const Picture *picture, const Stream *stream)
{
    unsigned depth = stream->depth;
    int names = sizeof LUMA[0] / sizeof LUMA[0][0];
    for (int i = 0; VIDEO[stream->codec].luma && i < names; i++)
        if (LUMA[depth][i] && picture->format == av_get_pix_fmt(LUMA[depth][i]))
            return true;
    return stream->codec != MPEG4 && picture->format == av_get_pix_fmt(GRAY[depth]);
}

static bool put_picture(const Stream *stream, const Sink *sink, uint32_t frame,
                        const Picture *picture, Error *error)
{
    if ((uint32_t)picture->height != sink->height || (uint32_t)picture->width != sink->width)
        return fail(error, "a stream of %dx%d stands where %ux%u was promised", picture->height,
                    picture->width, sink->height, sink->width);
    if (!is_gray(picture, stream)) {
        const char *name = av_get_pix_fmt_name(picture->format);
        return fail(error, "a stream of pixel format %s, not %u-bit gray", name ? name : "?",
                    stream->depth);
    }
    return sink->put(sink, frame, picture->data[0], picture->linesize[0], error);
}

/* Takes the pictures that are ready; `done` counts them. */
static bool receive(Decoder *decoder, const Stream *stream, const Sink *sink, uint32_t *done,
                    Error *error)
{
    while (*done < sink->frames) {
        int result = avcodec_receive_frame(decoder->context, decoder->picture);
        if (result == AGAIN || result == END_OF_FILE)
            return true;
        if (result < 0)
            return fail(error, "FFmpeg cannot decode frame %u of a stream", *done);
        bool put = put_picture(stream, sink, *done, decoder->picture, error);
        av_frame_unref(decoder->picture);
        if (!put)
            return false;
        ++*done;
    }
    return true;
}

static bool run_decoder(Decoder *decoder, const Stream *stream, const Sink *sink, Error *error)
{
    const uint8_t *data = stream->data;
    uint32_t done = 0;
    for (uint32_t i = 0; i < stream->packets; i++) {
        uint32_t size = packet_size(stream, i);
        if (!fill_packet(decoder->packet, stream, data, size, error))
            return false;
        int result = avcodec_send_packet(decoder->context, decoder->packet);
        av_packet_unref(decoder->packet);
        if (result < 0)
            return fail(error, "FFmpeg cannot decode packet %u of a stream", i);
        if (!receive(decoder, stream, sink, &done, error))
            return false;
        data += size;
    }
    if (done < sink->frames) { /* what the decoder held back */
        avcodec_send_packet(decoder->context, NULL);
        if (!receive(decoder, stream, sink, &done, error))
            return false;
    }
    if (done < sink->frames)
        return fail(error, "a stream ends after %u of %u frames", done, sink->frames);
    return true;
}

bool decode_video(const Stream *stream, const Sink *sink, Error *error)
{
    Decoder decoder = {0};
    if (!begin(error))
        return false;
    bool decoded = open_decoder(&decoder, stream, sink, error) &&
                   run_decoder(&decoder, stream, sink, error);
    close_decoder(&decoder);
    end();
    return decoded;
}
