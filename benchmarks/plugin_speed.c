/* Reads all frames of a dataset, once, in one thread; prints the seconds of CPU time that it took,
 * which other programs change little. See plugin.py.
 *
 *     plugin_speed whole FILE DATASET      one H5Dread of all, through the plugin
 *     plugin_speed frames FILE DATASET     an H5Dread for each frame
 *     plugin_speed bare FILE DATASET       libavcodec alone, or lpc's core, on the same packets
 *     plugin_speed copied FILE DATASET     the same, and each picture is copied into an array
 *
 * Bare means: packets are in memory, pictures are decoded and dropped, nothing is checked or turned
 * into pixels. Each block is a stream of its own, for which all of these open a decoder.
 */

#include "../../h5vidstack/_core/block.h"

#include <hdf5.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const DECODERS[CODECS] = {
    [X264] = "h264", [FFV1] = "ffv1", [MPEG4] = "mpeg4",
};

static void need(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "plugin_speed: %s\n", what);
        exit(1);
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Memory that the system has given, before time is taken. */
static uint8_t *touched(size_t bytes)
{
    uint8_t *memory = malloc(bytes);
    need(memory, "no memory");
    return memset(memory, 1, bytes);
}

static void time_whole(hid_t dataset, hid_t type, size_t bytes)
{
    uint8_t *pixels = touched(bytes);
    double start = now();
    need(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0, "H5Dread failed");
    printf("%.6f\n", now() - start);
}

static void time_frames(hid_t dataset, hid_t type, size_t bytes)
{
    hsize_t shape[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(dataset);
    int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    hsize_t frames = shape[0];
    shape[0] = 1;
    hid_t one = H5Screate_simple(rank, shape, NULL);
    uint8_t *pixels = touched(bytes / frames);
    double begin = now();
    for (; start[0] < frames; start[0]++) {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, shape, NULL);
        need(H5Dread(dataset, type, one, space, H5P_DEFAULT, pixels) >= 0, "H5Dread failed");
    }
    printf("%.6f\n", now() - begin);
}

/* `array` gets a plane for each picture, or is NULL. */
static void decode_bare(const Stream *stream, const Block *block, uint8_t *array)
{
    const AVCodec *codec = avcodec_find_decoder_by_name(DECODERS[stream->codec]);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = av_frame_alloc();
    context->thread_count = 1;
    context->width = (int)block->width;
    context->height = (int)block->height;
    context->pix_fmt = stream->depth == 8    ? AV_PIX_FMT_GRAY8
                       : stream->depth == 10 ? AV_PIX_FMT_GRAY10LE
                       : stream->depth == 12 ? AV_PIX_FMT_GRAY12LE
                                             : AV_PIX_FMT_GRAY16LE;
    if (stream->extra_size) {
        context->extradata = av_mallocz(stream->extra_size + AV_INPUT_BUFFER_PADDING_SIZE);
        memcpy(context->extradata, stream->extra, stream->extra_size);
        context->extradata_size = (int)stream->extra_size;
    }
    need(avcodec_open2(context, codec, NULL) == 0, "avcodec_open2 failed");
    const uint8_t *data = stream->data;
    uint32_t pictures = 0;
    for (uint32_t i = 0; i <= stream->packets; i++) {
        if (i < stream->packets) { /* not counted by references: FFmpeg copies it */
            packet->size = (int)packet_size(stream, (uint32_t)i);
            packet->data = (uint8_t *)(uintptr_t)data;
            data += packet->size;
        }
        need(avcodec_send_packet(context, i < stream->packets ? packet : NULL) == 0, "no packet");
        for (; avcodec_receive_frame(context, picture) == 0; pictures++) {
            size_t row = block->width * (stream->depth > 8 ? 2u : 1u);
            for (uint32_t y = 0; array && y < block->height; y++, array += row)
                memcpy(array, picture->data[0] + (ptrdiff_t)y * picture->linesize[0], row);
        }
    }
    need(pictures == block->frames, "too few pictures");
    avcodec_free_context(&context);
    av_packet_free(&packet);
    av_frame_free(&picture);
}

/* The core alone; it always fills an array. */
static void decode_bare_lpc(const Stream *stream, const Block *block, uint8_t *array)
{
    unsigned size = bytes_of(stream->depth);
    const Sink shape = {block->frames, block->height, block->width, NULL};
    size_t bytes = (size_t)block->frames * block->height * block->width * size;
    uint8_t *plane = array ? array : malloc(bytes);
    Error error;
    need(plane && decode_lpc(stream, &shape, plane, size, 1, &error), "lpc failed");
    if (!array)
        free(plane);
}

static void time_bare(hid_t dataset, uint8_t *array)
{
    hid_t plist = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
    unsigned flags, config, values[8];
    size_t count = 8;
    need(H5Pget_filter2(plist, 0, &flags, &count, values, 0, NULL, &config) == 47113,
         "not a dataset of h5vidstack");
    Chunk chunk;
    Error error;
    need(parse_parameters(count, values, &chunk, &error), "bad parameters");
    hsize_t blocks = 0, bytes, offset[32];
    H5Dget_num_chunks(dataset, space, &blocks);
    double seconds = 0;
    for (hsize_t i = 0; i < blocks; i++) {
        need(H5Dget_chunk_info(dataset, space, i, offset, NULL, NULL, &bytes) >= 0, "no chunk");
        uint8_t *data = malloc(bytes + AV_INPUT_BUFFER_PADDING_SIZE);
        uint32_t mask;
        need(data && H5Dread_chunk(dataset, H5P_DEFAULT, offset, &mask, data) >= 0, "no chunk");
        Block *block = calloc(1, sizeof *block);
        need(block && parse_block(data, bytes, &chunk, block, &error), "bad block");
        double start = now();
        for (unsigned k = 0; k < block->streams; k++)
            if (block->stream[k].codec == LPC)
                decode_bare_lpc(&block->stream[k], block, array);
            else if (DECODERS[block->stream[k].codec])
                decode_bare(&block->stream[k], block, array);
        seconds += now() - start;
        array += array ? (size_t)block->frames * block->height * block->width : 0;
        free(block->table);
        free(block);
        free(data);
    }
    printf("%.6f\n", seconds);
}

int main(int count, char **arguments)
{
    need(count == 4, "usage: plugin_speed whole|frames|bare|copied FILE DATASET");
    hid_t file = H5Fopen(arguments[2], H5F_ACC_RDONLY, H5P_DEFAULT);
    need(file >= 0, "cannot open the file");
    hid_t dataset = H5Dopen2(file, arguments[3], H5P_DEFAULT);
    need(dataset >= 0, "cannot open the dataset");
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    size_t bytes = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    if (!strcmp(arguments[1], "whole"))
        time_whole(dataset, type, bytes);
    else if (!strcmp(arguments[1], "frames"))
        time_frames(dataset, type, bytes);
    else
        time_bare(dataset, strcmp(arguments[1], "copied") ? NULL : touched(2 * bytes + (1 << 20)));
    return 0;
}
