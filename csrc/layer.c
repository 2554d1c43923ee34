/* One element of one layer: T nodes after each other, spikes of the element before and of the layer below as events. */
#include <string.h>

#include "internal.h"

/* what the nodes of one element share; one of the two layers is NULL */
typedef struct {
    spikeseq_stream *stream;
    const spikeseq_layer *layer;
    const spikeseq_layer_int8 *layer8;
    const void *drive; /* [G] constant part of the current, or NULL */
    size_t hidden, inputs, width;
} element;

void spikeseq_start(void *sum, const void *constant, size_t width)
{
    if (constant)
        memcpy(sum, constant, width * 4);
    else
        memset(sum, 0, width * 4);
}

/* A += the constant part, of a grid; the other kinds keep no sum of currents */
static void start(const element *e, uint32_t t)
{
    const size_t width = e->width;
    if (t == 1 || e->stream->model->kind != SPIKESEQ_GRID)
        spikeseq_start(e->layer ? (void *)e->stream->membrane : (void *)e->stream->membrane_int8, e->drive, width);
    else if (e->drive && e->layer)
        spikeseq_add(e->stream->membrane, e->drive, width);
    else if (e->drive)
        spikeseq_add_int8(e->stream->membrane_int8, e->drive, width);
}

/* A += spikes k of this layer, or from below */
static uint64_t events(const element *e, int from_below, const int8_t *k)
{
    const size_t width = e->width, inputs = from_below ? e->inputs : e->hidden;
    spikeseq_stream *stream = e->stream;
    if (e->layer)
        return spikeseq_event_add(stream->membrane, from_below ? e->layer->input_rows : e->layer->recurrent_rows, width, k,
                                  inputs, stream->list);
    return spikeseq_event_add_int8(stream->membrane_int8, from_below ? e->layer8->input_rows : e->layer8->recurrent_rows,
                                   width, k, inputs, stream->list, stream->scratch);
}

/* node (n, t) of a grid: gates, cell and spikes; `at` is its place in the state. Returns the spikes sent. */
static uint64_t grid(const element *e, uint32_t t, size_t at)
{
    spikeseq_stream *stream = e->stream;
    const spikeseq_model *model = stream->model;
    const uint32_t steps = model->time_steps, limit = model->max_packet ? model->max_packet : 2 * steps;
    const int speaks = (t & (t - 1)) == 0;
    if (e->layer) {
        float *emitted = stream->neurons, *y = emitted + e->hidden;
        if (speaks)
            spikeseq_grid_cell(e->layer, steps, t, model->shift, stream->membrane, stream->c + at, y);
        return spikeseq_grid_spikes(t, model->shift, (float)limit, e->hidden, y, emitted, stream->h + at);
    }
    int32_t *emitted = stream->neurons_int8, *y = emitted + e->hidden;
    if (speaks)
        spikeseq_grid_cell_int8(e->layer8, steps, t, stream->membrane_int8, stream->c_int8 + at, y);
    return spikeseq_grid_spikes_int8(steps, t, model->shift, (int32_t)limit, e->hidden, y, emitted, stream->h + at);
}

/* the same of streams */
static uint64_t streams(const element *e, size_t at)
{
    spikeseq_stream *stream = e->stream;
    const float shift = stream->model->shift;
    if (e->layer)
        return spikeseq_streams_node(e->layer, shift, stream->membrane, stream->neurons, stream->c + at, stream->h + at);
    return spikeseq_streams_node_int8(e->layer8, shift, stream->membrane_int8, stream->neurons_int8, stream->c_int8 + at,
                                      stream->h + at);
}

/* the same of LIF neurons, whose membranes `at` are of all time steps */
static uint64_t lif(const element *e, size_t at, int8_t *h)
{
    spikeseq_stream *stream = e->stream;
    const uint32_t reset = stream->model->reset;
    if (e->layer)
        return spikeseq_lif_node(e->layer, reset, stream->membrane, stream->c + at, h);
    return spikeseq_lif_node_int8(e->layer8, reset, stream->membrane_int8, stream->c_int8 + at, h);
}

/* operations of a grid's node that happen without any spike (spikeseq/energy/recurrent.py) */
static void count_grid(spikeseq_counters *did, const spikeseq_model *model, uint64_t hidden, int speaks)
{
    did->gated_adds += speaks ? 3 * (spikeseq_log2(model->time_steps) + 1) * hidden : 0;
    did->comparisons += (speaks ? 3 * (uint64_t)model->time_steps + 5 : 1) * hidden;
    did->comparisons += model->max_packet ? 2 * hidden : 0;
    did->neuron_updates += (speaks ? 3 : 2) * hidden;
}

/* the same of streams; a leak is a product by that rule, in int8 it is shifts */
static void count_streams(spikeseq_counters *did, const element *e)
{
    const int leaky = e->layer ? e->layer->leak != NULL : e->layer8->leak != NULL;
    did->gated_adds += 3 * e->hidden;
    did->comparisons += 9 * e->hidden;
    did->neuron_updates += 6 * e->hidden;
    did->macs += leaky ? 3 * e->hidden : 0;
    did->elementwise += leaky ? 3 * e->hidden : 0;
}

static void count_lif(spikeseq_counters *did, const element *e)
{
    const int leaky = e->layer ? e->layer->leak != NULL : e->layer8->leak != NULL;
    did->comparisons += e->hidden;
    did->neuron_updates += 2 * e->hidden;
    did->macs += leaky ? e->hidden : 0;
    did->elementwise += leaky ? e->hidden : 0;
}

static const void *drive_of(const spikeseq_stream *stream, uint32_t number)
{
    const spikeseq_model *model = stream->model;
    if (number == 0)
        return model->layers ? (const void *)stream->drive : (const void *)stream->drive_int8;
    return model->layers ? (const void *)model->layers[number].bias : (const void *)model->layers_int8[number].bias;
}

void spikeseq_layer_element(spikeseq_stream *stream, uint32_t number, const int8_t *below)
{
    const spikeseq_model *model = stream->model;
    const size_t hidden = spikeseq_hidden(model, number), inputs = spikeseq_inputs(model, number);
    const element e = {stream, model->layers ? &model->layers[number] : NULL,
                       model->layers ? NULL : &model->layers_int8[number], drive_of(stream, number), hidden, inputs, spikeseq_width(model, number)};
    spikeseq_counters *did = &stream->counters[number];
    const size_t cell = spikeseq_cell_offset(model, number);
    size_t at = spikeseq_layer_offset(model, number);

    if (spikeseq_neurons(model))
        spikeseq_start(e.layer ? (void *)stream->neurons : (void *)stream->neurons_int8, NULL,
                       spikeseq_neurons(model) * hidden);
    for (uint32_t t = 1; t <= model->time_steps; t++, at += hidden) {
        uint64_t spikes = 0;
        start(&e, t);
        if (model->kind != SPIKESEQ_LIF) {
            did->acs += e.drive ? e.width : 0;
            spikes = events(&e, 0, stream->h + at);
        }
        if (below) {
            spikes += events(&e, 1, below);
            below += inputs;
        }
        did->acs += spikes * e.width;
        if (model->kind == SPIKESEQ_GRID) {
            did->spikes += grid(&e, t, at);
            count_grid(did, model, hidden, (t & (t - 1)) == 0);
        } else if (model->kind == SPIKESEQ_LIF) {
            did->spikes += lif(&e, cell, stream->h + at);
            count_lif(did, &e);
        } else {
            did->spikes += streams(&e, at);
            count_streams(did, &e);
        }
    }
    did->elements++;
}
