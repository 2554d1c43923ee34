/* Linear readout of spikes: rows [O] are added for the spikes that an element sent in all, then one shift by T. */
#include <string.h>

#include "internal.h"

void spikeseq_readout(spikeseq_stream *stream)
{
    const spikeseq_model *model = stream->model;
    const size_t hidden = spikeseq_last_hidden(model);
    const float share = 1.0f / (float)model->time_steps; /* a power of two: exact */
    const int8_t *h = stream->h + spikeseq_layer_offset(model, model->num_layers - 1);
    memset(stream->packets, 0, hidden);
    for (uint32_t t = 0; t < model->time_steps; t++, h += hidden)
        for (size_t j = 0; j < hidden; j++)
            stream->packets[j] = (int8_t)(stream->packets[j] + h[j]);
    if (!model->outputs) {
        for (size_t j = 0; j < hidden; j++)
            stream->total[j] = (float)stream->packets[j] * share;
        return;
    }
    spikeseq_counters *did = &stream->counters[model->num_layers];
    memset(stream->total, 0, model->outputs * sizeof *stream->total);
    if (model->layers) {
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
