/* A chunk of a sequence: as many steps, and the readout only where its result is asked for. */
#include "internal.h"

spikeseq_status spikeseq_sequence(spikeseq_stream *stream, const float *x, size_t x_len, float *y, size_t y_len)
{
    if (!stream || !stream->model || !x || !y)
        return SPIKESEQ_NULL;
    const spikeseq_model *model = stream->model;
    const size_t inputs = spikeseq_inputs(model, 0), elements = x_len / inputs, len = spikeseq_output_len(model);
    if (!elements || x_len % inputs || y_len != (model->outputs ? len : elements * len))
        return SPIKESEQ_BAD_SIZE;
    for (size_t n = 0; n < elements; n++) {
        const int asked = !model->outputs || n + 1 == elements;
        const spikeseq_status status = spikeseq_step(stream, x + n * inputs, inputs, asked ? y : NULL, asked ? len : 0);
        if (status != SPIKESEQ_OK)
            return status;
        y += model->outputs ? 0 : len;
    }
    return SPIKESEQ_OK;
}
