/* One element of one layer: its nodes after each other, operations counted. */
#include "values.h"

/* node (n, t) of a grid: gates, cell and spikes; `at` is its place in the state. Returns the spikes sent. */
static uint64_t grid(const spikeseq_element *e, uint32_t t, size_t at)
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
static uint64_t streams(const spikeseq_element *e, size_t at)
{
    spikeseq_stream *stream = e->stream;
    const float shift = stream->model->shift;
    if (e->layer)
        return spikeseq_streams_node(e->layer, shift, stream->membrane, stream->neurons, stream->c + at, stream->h + at);
    return spikeseq_streams_node_int8(e->layer8, shift, stream->membrane_int8, stream->neurons_int8, stream->c_int8 + at,
                                      stream->h + at);
}

/* the one node of levels */
static uint64_t levels(const spikeseq_element *e, size_t cell, int8_t *k)
{
    spikeseq_stream *stream = e->stream;
    if (e->layer)
        return spikeseq_levels_node(e->layer, stream->model, stream->membrane, stream->c + cell, k);
    return spikeseq_levels_node_int8(e->layer8, stream->model, stream->membrane_int8, stream->c_int8 + cell, k);
}

/* the same of LIF neurons, whose membranes `at` are of all time steps */
static uint64_t lif(const spikeseq_element *e, size_t at, int8_t *h)
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

/* the same of streams */
static void count_streams(spikeseq_counters *did, const spikeseq_element *e)
{
    const uint32_t products = e->layer ? e->layer->leak_products : e->layer8->leak_products;
    did->gated_adds += 3 * e->hidden;
    did->comparisons += 9 * e->hidden;
    did->neuron_updates += 6 * e->hidden + (e->layer ? e->layer->leak_additions : e->layer8->leak_additions);
    did->macs += products;
    did->elementwise += products;
}

/* the same of levels (spikeseq/energy/currents.py) */
static void count_levels(spikeseq_counters *did, const spikeseq_element *e)
{
    const uint64_t steps = e->stream->model->time_steps;
    did->gated_adds += 2 * ((uint64_t)spikeseq_log2((uint32_t)steps) + 1) * e->hidden;
    did->comparisons += (steps + 5) * e->hidden;
    did->neuron_updates += 3 * e->hidden;
}

/* the same of gated and leaky currents; products are among the macs */
static void count_coded(spikeseq_counters *did, const spikeseq_element *e)
{
    const spikeseq_model *model = e->stream->model;
    const uint64_t gated = model->kind == SPIKESEQ_GATED, products = (1 + gated) * e->hidden;
    did->macs += products;
    did->elementwise += products;
    did->comparisons += (3 + gated + (model->code_dead > 0)) * e->hidden;
    did->neuron_updates += 2 * e->hidden;
}

/* the same of LIF neurons (spikeseq/energy/spiking.py) */
static void count_lif(spikeseq_counters *did, const spikeseq_element *e)
{
    const uint32_t products = e->layer ? e->layer->leak_products : e->layer8->leak_products;
    did->comparisons += e->hidden;
    did->neuron_updates += e->layer ? e->layer->leak_additions : e->layer8->leak_additions;
    did->neuron_updates += e->stream->model->reset == SPIKESEQ_SUBTRACT ? e->hidden : 0;
    did->macs += products;
    did->elementwise += products;
}

static spikeseq_element element_of(spikeseq_stream *stream, uint32_t number, const int8_t *below)
{
    const spikeseq_model *model = stream->model;
    const size_t hidden = spikeseq_hidden(model, number), inputs = spikeseq_inputs(model, number);
    spikeseq_element e = {.stream = stream, .hidden = hidden, .width = spikeseq_width(model, number)};
    const void *rows[2], *first;
    spikeseq_rows own = {NULL, NULL, NULL}, below_rows = own;
    if (model->layers) {
        e.layer = &model->layers[number];
        rows[0] = e.layer->recurrent_rows, rows[1] = e.layer->input_rows;
        first = stream->drive, e.drive = number ? e.layer->bias : first;
        own = spikeseq_own_rows(model, number), below_rows = spikeseq_input_rows(model, number);
    } else {
        e.layer8 = &model->layers_int8[number];
        rows[0] = e.layer8->recurrent_rows, rows[1] = e.layer8->input_rows;
        first = stream->drive_int8, e.drive = number ? e.layer8->bias : first;
    }
    const int there = spikeseq_coded(model) ? own.rows || own.rows8 : rows[0] != NULL;
    if (there && model->kind != SPIKESEQ_LIF && model->kind != SPIKESEQ_LEAKY)
        e.sources[e.num_sources++] = (spikeseq_source){.rows = rows[0], .k = stream->h + spikeseq_layer_offset(model, number),
                                                       .code = spikeseq_code_of(model, number), .values = own,
                                                       .rest = stream->rest, .inputs = hidden};
    if (below)
        e.sources[e.num_sources++] =
            (spikeseq_source){.rows = rows[1], .k = below, .code = spikeseq_code_of(model, number - 1), .values = below_rows,
                              .rest = stream->rest + 2 * hidden, .inputs = inputs};
    return e;
}

/* whether a node adds a constant part of its current, by the rules of its kind: a bias lies in the first sum of currents */
static int adds_drive(const spikeseq_element *e, uint32_t number)
{
    const spikeseq_model *model = e->stream->model;
    if (model->kind >= SPIKESEQ_LEVELS)
        return number == 0 && model->input_code == SPIKESEQ_DELTA;
    return e->drive && model->kind != SPIKESEQ_LIF;
}

void spikeseq_layer_element(spikeseq_stream *stream, uint32_t number, const int8_t *below)
{
    const spikeseq_model *model = stream->model;
    spikeseq_element e = element_of(stream, number, below);
    spikeseq_counters *did = &stream->counters[number];
    const size_t cell = spikeseq_cell_offset(model, number), neurons = spikeseq_neurons(model) * e.hidden;
    size_t at = spikeseq_layer_offset(model, number);

    if (neurons)
        spikeseq_start(e.layer ? (void *)stream->neurons : (void *)stream->neurons_int8, NULL, neurons);
    for (uint32_t t = 1; t <= spikeseq_nodes(model); t++, at += e.hidden) {
        *(spikeseq_coded(model) ? &did->macs : &did->acs) += spikeseq_current(&e, t) * e.width;
        did->acs += adds_drive(&e, number) ? e.width : 0;
        if (model->kind == SPIKESEQ_GRID) {
            did->spikes += grid(&e, t, at);
            count_grid(did, model, e.hidden, (t & (t - 1)) == 0);
        } else if (model->kind == SPIKESEQ_STREAMS) {
            did->spikes += streams(&e, at);
            count_streams(did, &e);
        } else if (spikeseq_coded(model)) {
            did->spikes += spikeseq_coded_node(e.layer, model, stream->membrane, stream->c + cell, stream->h + at);
            count_coded(did, &e);
        } else if (model->kind == SPIKESEQ_LEVELS) {
            did->spikes += levels(&e, cell, stream->h + at);
            count_levels(did, &e);
        } else {
            did->spikes += lif(&e, cell, stream->h + at);
            count_lif(did, &e);
        }
    }
    did->elements++;
}
