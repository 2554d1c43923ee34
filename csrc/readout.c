/* Linear readout of spikes: rows [O] are added for the spikes that an element sent in all, then one shift by T. Multi-bit
 * values are multiplied. */
#include <string.h>

#include "values.h"

/* packets [H] = sum_t h [T][H] */
SPIKESEQ_HOT static void over_time(int8_t *restrict packets, const int8_t *restrict h, size_t hidden, uint32_t steps)
{
    memcpy(packets, h, hidden);
    for (uint32_t t = 1; t < steps; t++)
        for (size_t j = 0; j < hidden; j++)
            packets[j] = (int8_t)(packets[j] + h[t * hidden + j]);
}

static void values(float *total, const int8_t *k, const spikeseq_model *model)
{
    const spikeseq_code code = spikeseq_code_of(model, model->num_layers - 1);
    for (size_t j = 0; j < spikeseq_last_hidden(model); j++)
        total[j] = spikeseq_value(code, k[j]);
}

SPIKESEQ_HOT static void scaled(float *restrict total, const int8_t *restrict packets, size_t hidden, float share)
{
    for (size_t j = 0; j < hidden; j++)
        total[j] = (float)packets[j] * share;
}

void spikeseq_readout(spikeseq_stream *stream)
{
    const spikeseq_model *model = stream->model;
    const size_t hidden = spikeseq_last_hidden(model);
    const float share = spikeseq_coded(model) ? 1.0f : 1.0f / (float)model->time_steps; /* a power of two: exact */
    over_time(stream->packets, stream->h + spikeseq_layer_offset(model, model->num_layers - 1), hidden, spikeseq_nodes(model));
    if (!model->outputs) {
        if (spikeseq_coded(model))
            values(stream->total, stream->packets, model);
        else
            scaled(stream->total, stream->packets, hidden, share);
        return;
    }
    spikeseq_counters *did = &stream->counters[model->num_layers];
    memset(stream->total, 0, model->outputs * sizeof *stream->total);
    if (spikeseq_coded(model)) {
        const spikeseq_code code = spikeseq_code_of(model, model->num_layers - 1);
        did->macs += model->outputs * spikeseq_event_multiply(stream->total, spikeseq_readout_rows(model), model->outputs, code,
                                                              stream->packets, hidden, stream->list, stream->membrane_int8);
    } else if (model->layers) {
        did->acs += model->outputs * spikeseq_event_add(stream->total, model->readout_rows, model->outputs, stream->packets,
                                                        hidden, stream->list);
    } else {
        memset(stream->sums, 0, model->outputs * sizeof *stream->sums);
        did->acs += model->outputs * spikeseq_event_add_int8(stream->sums, model->readout_int8, model->outputs,
                                                             stream->packets, hidden, stream->list, stream->scratch);
        for (size_t o = 0; o < model->outputs; o++) /* a power of two: exact */
            stream->total[o] = (float)stream->sums[o] * model->readout_scale[o];
    }
    did->elements++;
    for (size_t o = 0; o < model->outputs; o++)
        stream->total[o] = stream->total[o] * share + (model->readout_bias ? model->readout_bias[o] : 0.0f);
}
