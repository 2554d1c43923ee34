/* One element of a sequence. */
#include <string.h>

#include "internal.h"

spikeseq_status spikeseq_advance(spikeseq_stream *stream, const float *x)
{
    const spikeseq_model *model = stream->model;
    const size_t inputs = spikeseq_inputs(model, 0), width = 4 * (size_t)spikeseq_hidden(model, 0);
    if (!spikeseq_finite(x, inputs))
        return SPIKESEQ_NOT_FINITE;
    if (model->layers)
        spikeseq_input_product(stream->drive, model->layers->input_rows, model->layers->bias, x, inputs, width);
    else
        spikeseq_input_product_int8(model->layers_int8, model->time_steps, x, stream->drive, stream->drive_int8);
    if (!spikeseq_finite(stream->drive, width)) /* nothing has moved yet; a finite drive makes no NaN further on */
        return SPIKESEQ_NOT_FINITE;
    stream->counters[0].macs += inputs * width;
    spikeseq_grid_layer(stream, 0, NULL);
    for (uint32_t l = 1; l < model->num_layers; l++)
        spikeseq_grid_layer(stream, l, stream->h + spikeseq_layer_offset(model, l - 1));
    stream->elements++;
    if (model->outputs && model->pooling == SPIKESEQ_POOL_MEAN) {
        spikeseq_readout(stream);
        for (size_t o = 0; o < model->outputs; o++)
            stream->sum[o] += (double)stream->total[o];
    }
    return SPIKESEQ_OK;
}

/* output of the present element -> y */
static void output(spikeseq_stream *stream, float *y)
{
    const spikeseq_model *model = stream->model;
    if (model->outputs && model->pooling == SPIKESEQ_POOL_MEAN)
        for (size_t o = 0; o < model->outputs; o++)
            stream->total[o] = (float)(stream->sum[o] / (double)stream->elements);
    else
        spikeseq_readout(stream);
    memcpy(y, stream->total, spikeseq_output_len(model) * sizeof *y);
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
