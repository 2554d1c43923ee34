/* One element of a sequence. */
#include <string.h>

#include "internal.h"

spikeseq_status spikeseq_advance(spikeseq_stream *stream, const float *x)
{
    const spikeseq_model *model = stream->model;
    const spikeseq_layer *first = model->layers;
    const size_t width = 4 * (size_t)first->hidden_size;
    if (!spikeseq_finite(x, first->input_size))
        return SPIKESEQ_NOT_FINITE;
    spikeseq_input_product(stream->drive, first->input_rows, first->bias, x, first->input_size, width);
    if (!spikeseq_finite(stream->drive, width)) /* nothing has moved yet; a finite drive makes no NaN further on */
        return SPIKESEQ_NOT_FINITE;
    stream->counters[0].macs += first->input_size * width;
    spikeseq_grid_layer(stream, 0, stream->drive, NULL);
    for (uint32_t l = 1; l < model->num_layers; l++)
        spikeseq_grid_layer(stream, l, model->layers[l].bias, stream->h + spikeseq_layer_offset(model, l - 1));
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
    if (x_len != stream->model->layers->input_size || (y && y_len != spikeseq_output_len(stream->model)))
        return SPIKESEQ_BAD_SIZE;
    const spikeseq_status status = spikeseq_advance(stream, x);
    if (status == SPIKESEQ_OK && y)
        output(stream, y);
    return status;
}
