/* Packets to planes: FFmpeg's decoders, deflate, LZMA, and bits as they are. */

#include "h5vidstack.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <limits.h>
#include <lzma.h>
#include <pthread.h>
#include <stdlib.h>

#if LIBAVCODEC_VERSION_MAJOR < 59
#error "FFmpeg 5 (libavcodec 59) or newer is needed"
#endif

enum {
    MAX_UNITS = 16,            /* NAL units of a packet: each may decode a whole picture */
    MAX_DICTIONARY = 16 << 20, /* of LZMA, in bytes */
};

#define DEPTH(bits) (1u << (bits))

typedef struct {
    const char *decoder; /* FFmpeg's name; NULL where it is not FFmpeg's */
    uint32_t depths;
    bool told;       /* width, height and pixel format are not in the packets */
    bool configured; /* streams have a decoder configuration; of others FFmpeg would take it, too */
    bool units;      /* packets are NAL units, in Annex B form */
    bool whole;      /* one packet for all frames */
    int margin;      /* rows and columns around a picture that the decoder counts as pixels */
} Codec;

static const Codec CODEC[CODECS] = {
    [RAW] = {.depths = 0x1FFFE},
    [X264] = {"h264", DEPTH(8) | DEPTH(10), .units = true},
    [X265] = {"hevc", DEPTH(8) | DEPTH(10) | DEPTH(12), .units = true},
    [FFV1] = {"ffv1", DEPTH(8) | DEPTH(10) | DEPTH(12) | DEPTH(16), .told = true},
    [MAGICYUV] = {"magicyuv", DEPTH(8), .told = true, .configured = true},
    [FFVHUFF] = {"ffvhuff", DEPTH(8) | DEPTH(16), .told = true, .configured = true},
    [DEFLATE] = {.depths = DEPTH(8)},
    [LZMA] = {.depths = DEPTH(8), .configured = true, .whole = true},
    [MPEG4] = {"mpeg4", DEPTH(8), .margin = 256},
};

bool takes_configuration(CodecId codec)
{
    return CODEC[codec].configured;
}

bool is_whole(CodecId codec)
{
    return CODEC[codec].whole;
}

bool has_depth(CodecId codec, unsigned depth)
{
    return depth <= 16 && CODEC[codec].depths & DEPTH(depth);
}

/* FFmpeg's log is silent while any thread decodes here, and then as loud as the host had it. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned log_users;
static int log_level;

static void silence(void)
{
    pthread_mutex_lock(&log_lock);
    if (!log_users++) {
        log_level = av_log_get_level();
        av_log_set_level(AV_LOG_QUIET);
    }
    pthread_mutex_unlock(&log_lock);
}

static void unsilence(void)
{
    pthread_mutex_lock(&log_lock);
    if (!--log_users && av_log_get_level() == AV_LOG_QUIET)
        av_log_set_level(log_level);
    pthread_mutex_unlock(&log_lock);
}

typedef struct {
    AVCodecContext *context;
    AVPacket *packet;
    AVFrame *picture;
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

static enum AVPixelFormat gray_of(unsigned depth)
{
    switch (depth) {
    case 8: return AV_PIX_FMT_GRAY8;
    case 10: return AV_PIX_FMT_GRAY10LE;
    case 12: return AV_PIX_FMT_GRAY12LE;
    default: return AV_PIX_FMT_GRAY16LE;
    }
}

static bool open_decoder(Decoder *decoder, const Stream *stream, const Sink *sink, Error *error)
{
    const Codec *codec = &CODEC[stream->codec];
    const AVCodec *found = avcodec_find_decoder_by_name(codec->decoder);
    if (!found)
        return fail(error, "this FFmpeg has no decoder %s", codec->decoder);
    if (sink->height > INT_MAX || sink->width > INT_MAX)
        return fail(error, "a video of %ux%u", sink->height, sink->width);
    AVCodecContext *context = decoder->context = avcodec_alloc_context3(found);
    decoder->packet = av_packet_alloc();
    decoder->picture = av_frame_alloc();
    if (!context || !decoder->packet || !decoder->picture)
        return no_memory(error, sizeof *context);
    context->thread_count = 1;
    /* Else FFmpeg 5 interpolates MPEG-4 by faster code that is off by one here and there. */
    context->flags |= AV_CODEC_FLAG_BITEXACT;
    /* A hostile stream may name another size: FFmpeg shall refuse it before it allocates. */
    context->max_pixels = (padded(sink->height) + codec->margin) *
                          (padded(sink->width) + codec->margin);
    if (codec->told) {
        context->width = (int)sink->width;
        context->height = (int)sink->height;
        context->pix_fmt = gray_of(stream->depth);
    }
    if (stream->extra_size) {
        if (stream->extra_size > INT_MAX / 2)
            return fail(error, "a decoder configuration of %u bytes", stream->extra_size);
        context->extradata = av_mallocz(stream->extra_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!context->extradata)
            return no_memory(error, stream->extra_size);
        memcpy(context->extradata, stream->extra, stream->extra_size);
        context->extradata_size = (int)stream->extra_size;
    }
    if (avcodec_open2(context, found, NULL) < 0)
        return fail(error, "FFmpeg's %s refuses a stream of %ux%u", codec->decoder,
                    sink->height, sink->width);
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
static bool fill_packet(AVPacket *packet, const Stream *stream, const uint8_t *data, uint32_t size,
                        Error *error)
{
    if (!size || size > INT_MAX / 2)
        return fail(error, "a packet of %u bytes", size);
    if (CODEC[stream->codec].units && !few_units(data, size))
        return fail(error, "a packet of more than %d NAL units", MAX_UNITS);
    if (av_new_packet(packet, (int)size) < 0)
        return no_memory(error, size);
    memcpy(packet->data, data, size);
    return true;
}

/* Whether a picture's plane 0 is gray of a stream's depth. */
static bool is_gray(const AVFrame *picture, const Stream *stream)
{
    int format = picture->format;
    bool in_luma = stream->codec == X264 || stream->codec == MPEG4; /* in 4:2:0 */
    if (in_luma && stream->depth == 8 &&
        (format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P))
        return true;
    if (in_luma && stream->depth == 10 && format == AV_PIX_FMT_YUV420P10LE)
        return true;
    return stream->codec != MPEG4 && format == gray_of(stream->depth);
}

static bool put_picture(const Stream *stream, const Sink *sink, uint32_t frame,
                        const AVFrame *picture, Error *error)
{
    if ((uint32_t)picture->height != sink->height || (uint32_t)picture->width != sink->width)
        return fail(error, "a stream of %dx%d stands where %ux%u was promised", picture->height,
                    picture->width, sink->height, sink->width);
    if (!is_gray(picture, stream)) {
        const char *name = av_get_pix_fmt_name((enum AVPixelFormat)picture->format);
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
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF)
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
        uint32_t size = little32(stream->sizes + 4 * (size_t)i);
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

static bool decode_video(const Stream *stream, const Sink *sink, Error *error)
{
    Decoder decoder = {0};
    silence();
    bool decoded = open_decoder(&decoder, stream, sink, error) &&
                   run_decoder(&decoder, stream, sink, error);
    close_decoder(&decoder);
    unsilence();
    return decoded;
}

/* Bit planes, the lowest first: a bit a pixel, the first one highest; planes end with a byte. */
static void gather_bits(const uint8_t *planes, unsigned depth, uint16_t *values, size_t count)
{
    size_t length = (count + 7) / 8;
    memset(values, 0, count * sizeof *values);
    for (unsigned bit = 0; bit < depth; bit++, planes += length)
        for (size_t x = 0; x < count; x++)
            values[x] |= (uint16_t)((planes[x / 8] >> (7 - x % 8) & 1) << bit);
}

static bool decode_raw(const Stream *stream, const Sink *sink, uint8_t *frame, Error *error)
{
    const uint8_t *data = stream->data;
    size_t pixels = (size_t)sink->height * sink->width;
    bool bytes = stream->depth == 8 || stream->depth == 16;
    size_t length = bytes ? pixels * stream->depth / 8 : stream->depth * ((pixels + 7) / 8);
    size_t value = stream->depth > 8 ? 2 : 1;
    for (uint32_t i = 0; i < sink->frames; i++, data += length) {
        if (little32(stream->sizes + 4 * (size_t)i) != length)
            return fail(error, "a raw packet has %u bytes; its frame has %zu",
                        little32(stream->sizes + 4 * (size_t)i), length);
        if (!bytes) {
            gather_bits(data, stream->depth, (uint16_t *)(void *)frame, pixels);
            for (size_t x = 0; value == 1 && x < pixels; x++)
                frame[x] = frame[2 * x];
        }
        if (!sink->put(sink, i, bytes ? data : frame, (ptrdiff_t)(sink->width * value), error))
            return false;
    }
    return true;
}

static bool decode_deflate(const Stream *stream, const Sink *sink, uint8_t *frame, Error *error)
{
    const uint8_t *data = stream->data;
    size_t pixels = (size_t)sink->height * sink->width;
    for (uint32_t i = 0; i < sink->frames; i++) {
        uint32_t size = little32(stream->sizes + 4 * (size_t)i);
        if (!inflate_exactly(data, size, frame, pixels, error))
            return false;
        if (!sink->put(sink, i, frame, sink->width, error))
            return false;
        data += size;
    }
    return true;
}

static bool run_lzma(lzma_stream *lzma, const Sink *sink, uint8_t *frame, Error *error)
{
    size_t pixels = (size_t)sink->height * sink->width;
    lzma_ret result = LZMA_OK;
    for (uint32_t i = 0; i < sink->frames; i++) {
        lzma->next_out = frame;
        lzma->avail_out = pixels;
        while (lzma->avail_out && result == LZMA_OK)
            result = lzma_code(lzma, LZMA_FINISH);
        if (lzma->avail_out)
            return fail(error, "LZMA cannot decode frame %u of a packet", i);
        if (!sink->put(sink, i, frame, sink->width, error))
            return false;
    }
    if (result == LZMA_OK) /* the mark of the end */
        result = lzma_code(lzma, LZMA_FINISH);
    if (result != LZMA_STREAM_END)
        return fail(error, "an LZMA packet holds more than its frames");
    return true;
}

static bool decode_lzma(const Stream *stream, const Sink *sink, uint8_t *frame, Error *error)
{
    uint32_t size = stream->extra_size == 4 ? little32(stream->extra) : UINT32_MAX;
    if (size > MAX_DICTIONARY)
        return fail(error, "an LZMA stream whose dictionary is not allowed");
    lzma_options_lzma options = {
        .dict_size = size < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : size,
    };
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream lzma = LZMA_STREAM_INIT;
    lzma.next_in = stream->data;
    lzma.avail_in = little32(stream->sizes);
    if (lzma_raw_decoder(&lzma, filters) != LZMA_OK)
        return no_memory(error, options.dict_size);
    bool decoded = run_lzma(&lzma, sink, frame, error);
    lzma_end(&lzma);
    return decoded;
}

bool decode_stream(const Stream *stream, const Sink *sink, Error *error)
{
    CodecId codec = stream->codec;
    if (CODEC[codec].decoder)
        return decode_video(stream, sink, error);
    size_t size = (size_t)sink->height * sink->width * 2;
    uint8_t *frame = malloc(size);
    if (!frame)
        return no_memory(error, size);
    bool decoded = codec == RAW       ? decode_raw(stream, sink, frame, error)
                   : codec == DEFLATE ? decode_deflate(stream, sink, frame, error)
                                      : decode_lzma(stream, sink, frame, error);
    free(frame);
    return decoded;
}
