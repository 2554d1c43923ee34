/* What the first layer gets of an element: x in the model's code -> drive [G] = W x + b, operations counted. */
#include <string.h>

#include "values.h"

/* x [I] -> packets [I] where every value is -1, 0 or 1; else 0. *spikes: how many there are */
static int ternary(const float *x, size_t inputs, int8_t *packets, uint64_t *spikes)
{
    int other = 0;
    uint32_t sent = 0;
    for (size_t i = 0; i < inputs; i++) {
        const int k = (x[i] == 1.0f) - (x[i] == -1.0f);
        packets[i] = (int8_t)k;
        sent += (uint32_t)(k != 0);
        other |= x[i] != (float)k;
    }
    *spikes = sent;
    return !other;
}

static void rows_of_spikes(spikeseq_stream *stream, size_t inputs, size_t width)
{
    const spikeseq_model *model = stream->model;
    if (spikeseq_units(model)) {
        const spikeseq_code one = {1.0f, 1.0f};
        spikeseq_start(stream->drive, model->layers->bias, width);
        spikeseq_event_multiply(stream->drive, spikeseq_input_rows(model, 0), width, one, stream->packets, inputs, stream->list,
                                stream->membrane_int8);
        return;
    }
    if (model->layers) {
        spikeseq_start(stream->drive, model->layers->bias, width);
        spikeseq_event_add(stream->drive, model->layers->input_rows, width, stream->packets, inputs, stream->list);
        return;
    }
    const spikeseq_layer_int8 *layer = model->layers_int8;
    memset(stream->drive_int8, 0, width * sizeof *stream->drive_int8);
    spikeseq_event_add_int8(stream->drive_int8, layer->input_rows, width, stream->packets, inputs, stream->list,
                            stream->scratch);
    spikeseq_scale_int8(layer, width, spikeseq_largest_drive(model), 1.0f, stream->drive_int8);
}

static spikeseq_status direct(spikeseq_stream *stream, const float *x, size_t inputs, size_t width)
{
    const spikeseq_model *model = stream->model;
    spikeseq_counters *did = stream->counters;
    uint64_t spikes;
    const int events = ternary(x, inputs, stream->packets, &spikes), units = spikeseq_units(model);
    int finite = 1;
    if (events)
        rows_of_spikes(stream, inputs, width);
    else if (units)
        spikeseq_input_product_units(stream->drive, spikeseq_input_rows(model, 0), model->layers->bias, x, inputs, width);
    else if (model->layers)
        spikeseq_input_product(stream->drive, model->layers->input_rows, model->layers->bias, x, inputs, width);
    else
        finite = spikeseq_input_product_int8(model->layers_int8, width, spikeseq_largest_drive(model), x, stream->drive,
                                             stream->drive_int8);
    if (!finite || (model->layers && !spikeseq_finite(stream->drive, width)))
        return SPIKESEQ_NOT_FINITE;
    if (!events)
        spikeseq_multiply(stream);
    if (stream->analog) {
        did->macs += inputs * width;
    } else {
        did->acs += spikes * width;
        stream->input_spikes += spikes;
    }
    return SPIKESEQ_OK;
}

static void int8_coded(spikeseq_stream *stream, const float *x, size_t inputs, size_t width)
{
    const spikeseq_model *model = stream->model;
    spikeseq_counters *did = stream->counters;
    const float *step = model->layers ? model->layers->input_step : model->layers_int8->input_step;
    spikeseq_encode(x, step, stream->k, inputs);
    if (model->layers) {
        for (size_t i = 0; i < inputs; i++)
            stream->x[i] = stream->k[i];
        spikeseq_input_product(stream->drive, model->layers->input_rows, model->layers->bias, stream->x, inputs, width);
    } else {
        spikeseq_code_product_int8(model->layers_int8, width, spikeseq_largest_drive(model), stream->k, stream->drive_int8);
    }
    did->macs += inputs * width;
    did->int8_macs += inputs * width;
    did->comparisons += inputs;
}

static void delta_coded(spikeseq_stream *stream, const float *x, size_t inputs, size_t width)
{
    const spikeseq_model *model = stream->model;
    spikeseq_counters *did = stream->counters;
    const float *step = model->layers ? model->layers->input_step : model->layers_int8->input_step;
    int8_t *now = stream->packets;
    uint64_t sent;
    spikeseq_encode(x, step, now, inputs);
    if (model->layers) {
        sent = spikeseq_delta(stream->held, model->layers->input_rows, now, stream->k, inputs, width);
        spikeseq_held_drive(stream->drive, stream->held, model->layers->bias, width);
    } else {
        sent = spikeseq_delta_int8(stream->held_int8, model->layers_int8->input_rows, now, stream->k, inputs, width);
        memcpy(stream->drive_int8, stream->held_int8, width * sizeof *stream->drive_int8);
        spikeseq_shift_int8(model->layers_int8, width, spikeseq_largest_drive(model), stream->drive_int8);
    }
    memcpy(stream->k, now, inputs);
    did->acs += sent * width;
    did->neuron_updates += 2 * inputs;
    did->comparisons += inputs;
}

static void sigma_delta_coded(spikeseq_stream *stream, const float *x, size_t inputs, size_t width)
{
    const spikeseq_model *model = stream->model;
    const spikeseq_code code = {model->layers->input_reach[0], model->input_scale};
    spikeseq_counters *did = stream->counters;
    spikeseq_sigma_delta(model, code, -1.0f, 0.0f, inputs, x, stream->x, stream->packets);
    spikeseq_start(stream->drive, model->layers->bias, width);
    did->macs += width * spikeseq_event_multiply(stream->drive, spikeseq_input_rows(model, 0), width, code,
                                                 stream->packets, inputs, stream->list, stream->membrane_int8);
    did->comparisons += 3 * inputs;
    did->neuron_updates += 2 * inputs;
}

spikeseq_status spikeseq_input(spikeseq_stream *stream, const float *x)
{
    const size_t inputs = spikeseq_inputs(stream->model, 0), width = spikeseq_width(stream->model, 0);
    if (!spikeseq_finite(x, inputs))
        return SPIKESEQ_NOT_FINITE;
    switch (stream->model->input_code) {
    case SPIKESEQ_DIRECT: return direct(stream, x, inputs, width);
    case SPIKESEQ_INT8: int8_coded(stream, x, inputs, width); break;
    case SPIKESEQ_SIGMA_DELTA: sigma_delta_coded(stream, x, inputs, width); break;
    default: delta_coded(stream, x, inputs, width); break;
    }
    return SPIKESEQ_OK; /* 127 steps of checked weights are finite */
}

spikeseq_status spikeseq_multiply(spikeseq_stream *stream)
{
    if (!stream || !stream->model)
        return SPIKESEQ_NULL;
    if (stream->analog || stream->model->input_code != SPIKESEQ_DIRECT)
        return SPIKESEQ_OK;
    spikeseq_counters *did = stream->counters;
    const uint64_t width = spikeseq_width(stream->model, 0);
    stream->analog = 1;
    did->acs -= stream->input_spikes * width;
    did->macs += did->elements * spikeseq_inputs(stream->model, 0) * width;
    return SPIKESEQ_OK;
}
