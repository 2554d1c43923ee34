/* One element of one layer: T nodes after each other, spikes of the element before and of the layer below as events. */
#include <string.h>

#include "internal.h"

static void start(float *membrane, const float *drive, size_t width, uint32_t t)
{
    if (t == 1 && drive)
        memcpy(membrane, drive, width * sizeof *membrane);
    else if (t == 1)
        memset(membrane, 0, width * sizeof *membrane);
    else if (drive)
        spikeseq_add(membrane, drive, width);
}

/* operations of a node that happen without any spike (spikeseq/energy/recurrent.py) */
static void count_node(spikeseq_counters *did, const spikeseq_model *model, uint64_t hidden, int speaks)
{
    uint64_t bits = 1;
    for (uint32_t rest = model->time_steps; rest > 1; rest >>= 1)
        bits++;
    did->gated_adds += speaks ? 3 * bits * hidden : 0;
    did->comparisons += (speaks ? 3 * (uint64_t)model->time_steps + 5 : 1) * hidden;
    did->comparisons += model->max_packet ? 2 * hidden : 0;
    did->neuron_updates += (speaks ? 3 : 2) * hidden;
}

void spikeseq_grid_layer(spikeseq_stream *stream, uint32_t number, const float *drive, const int8_t *below)
{
    const spikeseq_model *model = stream->model;
    const spikeseq_layer *layer = &model->layers[number];
    const size_t hidden = layer->hidden_size, width = 4 * hidden, inputs = layer->input_size;
    const float limit = model->max_packet ? (float)model->max_packet : 2.0f * (float)model->time_steps;
    spikeseq_counters *did = &stream->counters[number];
    float *c = stream->c + spikeseq_layer_offset(model, number);
    int8_t *h = stream->h + spikeseq_layer_offset(model, number);

    memset(stream->emitted, 0, hidden * sizeof *stream->emitted);
    memset(stream->y, 0, hidden * sizeof *stream->y);
    for (uint32_t t = 1; t <= model->time_steps; t++, c += hidden, h += hidden) {
        const int speaks = (t & (t - 1)) == 0;
        uint64_t spikes;
        start(stream->membrane, drive, width, t);
        did->acs += drive ? width : 0;
        spikes = spikeseq_event_add(stream->membrane, layer->recurrent_rows, width, h, hidden, stream->list);
        if (below) {
            spikes += spikeseq_event_add(stream->membrane, layer->input_rows, width, below, inputs, stream->list);
            below += inputs;
        }
        did->acs += spikes * width;
        if (speaks)
            spikeseq_grid_cell(layer, model->time_steps, t, model->shift, stream->membrane, c, stream->y);
        did->spikes += spikeseq_grid_spikes(t, model->shift, limit, hidden, stream->y, stream->emitted, h);
        count_node(did, model, hidden, speaks);
    }
    did->elements++;
}
