/* One element of a sequence. */
#include <float.h>
#include <string.h>

#include "values.h"

/* sum += y of the last layer: a readout of multi-bit values comes once, behind their mean */
static void add_values(spikeseq_stream *stream)
{
    const spikeseq_model *model = stream->model;
    const uint32_t last = model->num_layers - 1;
    const int8_t *k = stream->h + spikeseq_layer_offset(model, last);
    const spikeseq_code code = spikeseq_code_of(model, last);
    for (size_t j = 0; j < spikeseq_last_hidden(model); j++)
        stream->sum[j] += (double)spikeseq_value(code, k[j]);
}

spikeseq_status spikeseq_advance(spikeseq_stream *stream, const float *x)
{
    const spikeseq_model *model = stream->model;
    const spikeseq_status status = spikeseq_input(stream, x); /* a finite drive makes no NaN further on */
    if (status != SPIKESEQ_OK)
        return status;
    spikeseq_layer_element(stream, 0, NULL);
    for (uint32_t l = 1; l < model->num_layers; l++)
        spikeseq_layer_element(stream, l, stream->h + spikeseq_layer_offset(model, l - 1));
    stream->elements++;
    if (model->outputs && model->pooling != SPIKESEQ_POOL_LAST && spikeseq_coded(model)) {
        add_values(stream);
    } else if (model->outputs && model->pooling != SPIKESEQ_POOL_LAST) {
        spikeseq_readout(stream);
        for (size_t o = 0; o < model->outputs; o++)
            stream->sum[o] += (double)stream->total[o];
        if (model->kind == SPIKESEQ_LIF) /* the readout is an integrator: one addition, and one division by the length */
            stream->counters[model->num_layers].neuron_updates += model->outputs;
    }
    return SPIKESEQ_OK;
}

/* no overflow, which a conversion does not define: a sum over very many elements ends at the largest number */
static float to_float(double value)
{
    value = value > -FLT_MAX ? value : -FLT_MAX;
    return (float)(value < FLT_MAX ? value : FLT_MAX);
}

/* total = readout of the mean or sum of the values so far */
static void of_pooled(spikeseq_stream *stream, double share)
{
    const spikeseq_model *model = stream->model;
    const size_t outputs = model->outputs, hidden = spikeseq_last_hidden(model);
    const spikeseq_rows rows = spikeseq_readout_rows(model);
    spikeseq_counters *did = &stream->counters[model->num_layers];
    memset(stream->total, 0, outputs * sizeof *stream->total);
    for (size_t j = 0; j < hidden; j++) {
        const float value = to_float(stream->sum[j] / share);
        for (size_t o = 0; o < outputs; o++)
            stream->total[o] += value * (rows.rows8 ? (float)rows.rows8[j * outputs + o] : rows.rows[j * outputs + o]);
    }
    for (size_t o = 0; o < outputs; o++) {
        const float whole = rows.rows8 ? stream->total[o] * rows.unit[o] : stream->total[o];
        stream->total[o] = to_float((double)whole + (model->readout_bias ? (double)model->readout_bias[o] : 0.0));
    }
    did->macs += outputs * hidden;
    did->elements++;
}

/* total = mean or sum of the readouts so far */
static void pooled(spikeseq_stream *stream)
{
    const spikeseq_model *model = stream->model;
    spikeseq_counters *did = &stream->counters[model->num_layers];
    const int mean = model->pooling == SPIKESEQ_POOL_MEAN;
    const double share = mean ? (double)stream->elements : 1.0;
    if (spikeseq_coded(model)) {
        of_pooled(stream, share);
        return;
    }
    for (size_t o = 0; o < model->outputs; o++)
        stream->total[o] = to_float(stream->sum[o] / share);
    if (mean && model->kind == SPIKESEQ_LIF) {
        did->macs += model->outputs;
        did->elementwise += model->outputs;
    }
}

/* output of the present element -> y */
static void output(spikeseq_stream *stream, float *y)
{
    if (stream->model->outputs && stream->model->pooling != SPIKESEQ_POOL_LAST)
        pooled(stream);
    else
        spikeseq_readout(stream);
    memcpy(y, stream->total, spikeseq_output_len(stream->model) * sizeof *y);
}

spikeseq_status spikeseq_step(spikeseq_stream *stream, const float *x, size_t x_len, float *y, size_t y_len)
{
    if (!stream || !stream->model || !x || (!y && y_len))
        return SPIKESEQ_NULL;
    if (x_len != spikeseq_inputs(stream->model, 0) || (y && y_len != spikeseq_output_len(stream->model)))
        return SPIKESEQ_BAD_SIZE;
    const spikeseq_status status = spikeseq_advance(stream, x);
    if (status == SPIKESEQ_OK && y)
        output(stream, y);
    return status;
}
