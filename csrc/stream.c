/* A stream's buffer: how large it is, what lies where, and its first state. */
#include <string.h>

#include "values.h"

enum { LINE = 64 }; /* each part starts at a multiple of a cache line from the buffer's start */

typedef struct {
    unsigned char *base; /* NULL: only the size is asked for */
    size_t bytes;
} buffer_part;

/* the next `count` values of `size` bytes, NULL where there are none */
static void *part(buffer_part *buffer, size_t count, size_t size)
{
    unsigned char *at = buffer->base ? buffer->base + buffer->bytes : NULL;
    buffer->bytes += (count * size + LINE - 1) / LINE * LINE;
    return count ? at : NULL;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Every pointer of the stream; words of 32 bits are float or int32, and each part is used as one type only. */
static size_t lay_out(const spikeseq_model *model, unsigned char *base, spikeseq_stream *stream)
{
    buffer_part buffer = {base, 0};
    const size_t real = model->layers != NULL, whole = !real, outputs = model->outputs, inputs = spikeseq_inputs(model, 0);
    const size_t states = spikeseq_layer_offset(model, model->num_layers), cells = spikeseq_cell_offset(model, model->num_layers);
    const size_t first = spikeseq_width(model, 0), gates = spikeseq_gates(model), several = spikeseq_nodes(model) > 1;
    const size_t direct = model->input_code == SPIKESEQ_DIRECT, delta = model->input_code == SPIKESEQ_DELTA;
    const size_t events = direct || model->input_code == SPIKESEQ_SIGMA_DELTA; /* of the input */
    size_t widest = 0;
    for (uint32_t l = 0; l < model->num_layers; l++)
        widest = larger(widest, spikeseq_hidden(model, l));
    const size_t units = spikeseq_units(model) != 0;
    const size_t columns = larger(gates * widest, outputs), neurons = spikeseq_neurons(model) * widest;
    stream->model = model;
    stream->counters = part(&buffer, model->num_layers + 1, sizeof *stream->counters);
    stream->sum = part(&buffer, spikeseq_summed(model), sizeof *stream->sum);
    stream->c = part(&buffer, real * cells, sizeof *stream->c);
    stream->c_int8 = part(&buffer, whole * cells, sizeof *stream->c_int8);
    stream->membrane = part(&buffer, real * gates * widest, sizeof *stream->membrane);
    stream->membrane_int8 = part(&buffer, whole * gates * widest + units * columns, sizeof *stream->membrane_int8);
    stream->drive = part(&buffer, (real || (direct && inputs > SPIKESEQ_MOST_INPUTS)) * first, sizeof *stream->drive);
    stream->drive_int8 = part(&buffer, whole * first, sizeof *stream->drive_int8);
    stream->neurons = part(&buffer, real * neurons, sizeof *stream->neurons);
    stream->neurons_int8 = part(&buffer, whole * neurons, sizeof *stream->neurons_int8);
    stream->held = part(&buffer, delta * real * first, sizeof *stream->held);
    stream->held_int8 = part(&buffer, delta * whole * first, sizeof *stream->held_int8);
    stream->x = part(&buffer, (real && !direct && !delta) * inputs, sizeof *stream->x);
    stream->k = part(&buffer, !events * inputs, sizeof *stream->k);
    stream->total = part(&buffer, spikeseq_output_len(model), sizeof *stream->total);
    stream->sums = part(&buffer, whole * outputs, sizeof *stream->sums);
    stream->list = part(&buffer, 2 * larger(widest, events * inputs), sizeof *stream->list);
    stream->scratch = part(&buffer, whole * (columns < SPIKESEQ_TILE ? columns : SPIKESEQ_TILE), sizeof *stream->scratch);
    stream->h = part(&buffer, states, sizeof *stream->h);
    stream->shared = part(&buffer, several * gates * widest, sizeof(int32_t));
    stream->rest = part(&buffer, several * 4 * widest, sizeof *stream->rest);
    stream->packets = part(&buffer, larger(widest, inputs), sizeof *stream->packets);
    return buffer.bytes;
}

spikeseq_status spikeseq_stream_size(const spikeseq_model *model, size_t *bytes)
{
    spikeseq_stream nowhere;
    const spikeseq_status status = spikeseq_check_shape(model);
    if (status != SPIKESEQ_OK)
        return status;
    if (!bytes)
        return SPIKESEQ_NULL;
    *bytes = lay_out(model, NULL, &nowhere);
    return SPIKESEQ_OK;
}

spikeseq_status spikeseq_stream_init(const spikeseq_model *model, void *buffer, size_t bytes, spikeseq_stream *stream)
{
    size_t needed = 0;
    const spikeseq_status status = spikeseq_stream_size(model, &needed);
    if (status != SPIKESEQ_OK)
        return status;
    if (!buffer || !stream)
        return SPIKESEQ_NULL;
    if (bytes < needed || (uintptr_t)buffer % 8)
        return SPIKESEQ_BAD_BUFFER;
    lay_out(model, buffer, stream);
    memset(stream->counters, 0, (model->num_layers + 1) * sizeof *stream->counters);
    stream->input_spikes = 0;
    stream->analog = 0;
    return spikeseq_reset(stream);
}

spikeseq_status spikeseq_reset(spikeseq_stream *stream)
{
    if (!stream || !stream->model)
        return SPIKESEQ_NULL;
    const spikeseq_model *model = stream->model;
    const size_t cells = spikeseq_cell_offset(model, model->num_layers), first = spikeseq_width(model, 0);
    spikeseq_start(stream->c ? (void *)stream->c : (void *)stream->c_int8, NULL, cells);
    memset(stream->h, 0, spikeseq_layer_offset(model, model->num_layers));
    for (size_t o = 0; o < spikeseq_summed(model); o++)
        stream->sum[o] = 0.0;
    if (stream->x) /* of a sigma-delta input a state */
        spikeseq_start(stream->x, NULL, spikeseq_inputs(model, 0));
    if (stream->k)
        memset(stream->k, 0, spikeseq_inputs(model, 0));
    for (size_t j = 0; stream->held && j < first; j++)
        stream->held[j] = 0.0;
    if (stream->held_int8)
        spikeseq_start(stream->held_int8, NULL, first);
    stream->elements = 0;
    return SPIKESEQ_OK;
}
