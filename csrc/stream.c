/* A stream's buffer: how large it is, what lies where, and its first state. */
#include <string.h>

#include "internal.h"

enum { LINE = 64 }; /* each part starts at a multiple of a cache line from the buffer's start */

/* offset of a part of `bytes` bytes; *end moves behind it */
static size_t part(size_t *end, size_t bytes)
{
    const size_t at = *end;
    *end = at + (bytes + LINE - 1) / LINE * LINE;
    return at;
}

typedef struct {
    size_t counters, sum, c, membrane, drive, emitted, y, total, list, sums, drive_int8, scratch, h, packets, bytes;
} layout;

/* columns that an event add of int8 rows takes at a time: of the widest layer or of the readout */
static size_t scratch_len(const spikeseq_model *model, size_t widest)
{
    const size_t columns = 4 * widest > model->outputs ? 4 * widest : model->outputs;
    return columns < SPIKESEQ_TILE ? columns : SPIKESEQ_TILE;
}

static layout layout_of(const spikeseq_model *model)
{
    layout at;
    size_t widest = 0, end = 0;
    const size_t states = spikeseq_layer_offset(model, model->num_layers);
    for (uint32_t l = 0; l < model->num_layers; l++)
        widest = spikeseq_hidden(model, l) > widest ? spikeseq_hidden(model, l) : widest;
    at.counters = part(&end, (model->num_layers + 1) * sizeof(spikeseq_counters));
    at.sum = part(&end, model->outputs * sizeof(double));
    at.c = part(&end, states * sizeof(float));
    at.membrane = part(&end, 4 * widest * sizeof(float));
    at.drive = part(&end, 4 * widest * sizeof(float));
    at.emitted = part(&end, widest * sizeof(float));
    at.y = part(&end, (model->layers ? 1 : 2) * widest * sizeof(float));
    at.total = part(&end, spikeseq_output_len(model) * sizeof(float));
    at.list = part(&end, 2 * widest * sizeof(uint32_t));
    at.sums = part(&end, model->layers ? 0 : model->outputs * sizeof(int32_t));
    at.drive_int8 = part(&end, model->layers ? 0 : 4 * widest * sizeof(int32_t));
    at.scratch = part(&end, model->layers ? 0 : scratch_len(model, widest) * sizeof(uint16_t));
    at.h = part(&end, states);
    at.packets = part(&end, widest);
    at.bytes = end;
    return at;
}

spikeseq_status spikeseq_stream_size(const spikeseq_model *model, size_t *bytes)
{
    const spikeseq_status status = spikeseq_check_shape(model);
    if (status != SPIKESEQ_OK)
        return status;
    if (!bytes)
        return SPIKESEQ_NULL;
    *bytes = layout_of(model).bytes;
    return SPIKESEQ_OK;
}

spikeseq_status spikeseq_stream_init(const spikeseq_model *model, void *buffer, size_t bytes, spikeseq_stream *stream)
{
    const spikeseq_status status = spikeseq_check_shape(model);
    if (status != SPIKESEQ_OK)
        return status;
    if (!buffer || !stream)
        return SPIKESEQ_NULL;
    const layout at = layout_of(model);
    if (bytes < at.bytes || (uintptr_t)buffer % 8)
        return SPIKESEQ_BAD_BUFFER;
    unsigned char *base = buffer;
    stream->model = model;
    stream->counters = (spikeseq_counters *)(void *)(base + at.counters);
    stream->sum = (double *)(void *)(base + at.sum);
    const int int8 = !model->layers; /* words of 32 bits either way, and each is used as one type only */
    stream->c = int8 ? NULL : (float *)(void *)(base + at.c);
    stream->c_int8 = int8 ? (int32_t *)(void *)(base + at.c) : NULL;
    stream->membrane = int8 ? NULL : (float *)(void *)(base + at.membrane);
    stream->membrane_int8 = int8 ? (int32_t *)(void *)(base + at.membrane) : NULL;
    stream->drive = (float *)(void *)(base + at.drive);
    stream->drive_int8 = int8 ? (int32_t *)(void *)(base + at.drive_int8) : NULL;
    stream->emitted = int8 ? NULL : (float *)(void *)(base + at.emitted);
    stream->emitted_int8 = int8 ? (int32_t *)(void *)(base + at.emitted) : NULL;
    stream->y = int8 ? NULL : (float *)(void *)(base + at.y);
    stream->y_int8 = int8 ? (int32_t *)(void *)(base + at.y) : NULL;
    stream->sums = int8 ? (int32_t *)(void *)(base + at.sums) : NULL;
    stream->scratch = int8 ? (uint16_t *)(void *)(base + at.scratch) : NULL;
    stream->total = (float *)(void *)(base + at.total);
    stream->list = (uint32_t *)(void *)(base + at.list);
    stream->h = (int8_t *)(base + at.h);
    stream->packets = (int8_t *)(base + at.packets);
    memset(stream->counters, 0, (model->num_layers + 1) * sizeof *stream->counters);
    return spikeseq_reset(stream);
}

spikeseq_status spikeseq_reset(spikeseq_stream *stream)
{
    if (!stream || !stream->model)
        return SPIKESEQ_NULL;
    const size_t states = spikeseq_layer_offset(stream->model, stream->model->num_layers);
    memset(stream->c ? (void *)stream->c : (void *)stream->c_int8, 0, states * 4);
    memset(stream->h, 0, states);
    for (size_t o = 0; o < stream->model->outputs; o++)
        stream->sum[o] = 0.0;
    stream->elements = 0;
    return SPIKESEQ_OK;
}
