/* What a model must be; sizes that follow from it. */
#include <float.h>
#include <math.h>

#include "values.h"

/* No sum of rows overflows: 2^16 units x 31 spikes x 1e30; nor does c, which stops growing where gam is half its last bit.
 * Multi-bit values: 2^17 products of at most 1e30 (rows_fit). With a finite drive, no state and no output of a checked model is
 * ever NaN or infinite. */
static const float LARGEST = 1e30f;

uint32_t spikeseq_abi(void) { return SPIKESEQ_ABI; }

const char *spikeseq_message(spikeseq_status status)
{
    switch (status) {
    case SPIKESEQ_OK: return "ok";
    case SPIKESEQ_NULL: return "a pointer that must be there is NULL";
    case SPIKESEQ_BAD_MODEL: return "the model's sizes, time steps, shift, packet limit, pooling or levels of a code are out of range";
    case SPIKESEQ_BAD_WEIGHT: return "a weight, threshold, range, step or leak is out of its range, or a weight times a range M is";
    case SPIKESEQ_BAD_SIZE: return "a length is not the model's";
    case SPIKESEQ_BAD_BUFFER: return "the buffer is too small or its address is no multiple of 8";
    case SPIKESEQ_NOT_FINITE: return "a value is NaN or infinite";
    }
    return "unknown status";
}

SPIKESEQ_HOT int spikeseq_finite(const float *values, size_t len)
{
    int bad = 0;
    for (size_t j = 0; j < len; j++)
        bad |= !(fabsf(values[j]) <= FLT_MAX);
    return !bad;
}

int spikeseq_ranges(const float *values, size_t len)
{
    int bad = 0;
    for (size_t j = 0; j < len; j++)
        bad |= !(values[j] > 0.0f && values[j] <= LARGEST);
    return !bad;
}

static int weights(const float *values, size_t len)
{
    int bad = 0;
    for (size_t j = 0; j < len; j++)
        bad |= !(fabsf(values[j]) <= LARGEST);
    return !bad;
}

static int leaks(const float *values, size_t len)
{
    int bad = 0;
    for (size_t j = 0; j < len; j++)
        bad |= !(values[j] >= 0.0f && values[j] <= 1.0f);
    return !bad;
}

/* multi-bit outputs: |k| must fit 8 bits */
static int bad_code(const spikeseq_model *model)
{
    const float most = model->code_nearest ? 127.5f : 128.0f;
    const int coded = model->input_code == SPIKESEQ_SIGMA_DELTA;
    if (!coded && model->input_code != SPIKESEQ_DIRECT)
        return 1;
    return !model->layers || !(model->code_scale >= 1.0f && model->code_scale < most) || model->code_dead > 127 ||
           model->code_nearest > 1 || (coded && !(model->input_scale >= 1.0f && model->input_scale < most));
}

/* rows that values up to M (NULL: any) meet: no product is beyond LARGEST */
static int rows_fit(spikeseq_rows rows, size_t inputs, size_t width, const float *reach)
{
    const float most = reach && *reach > 1.0f ? LARGEST / *reach : LARGEST;
    int bad = 0;
    for (size_t j = 0; rows.rows && j < inputs * width; j++)
        bad |= !(fabsf(rows.rows[j]) <= most);
    for (size_t j = 0; rows.rows8 && j < width; j++)
        bad |= !(rows.unit[j] > 0.0f && rows.unit[j] <= most / 128.0f);
    return !bad;
}

/* the numbers of a layer of gated or leaky currents, and what the layers around it send */
static int coded_fits(const spikeseq_model *model, uint32_t number)
{
    const spikeseq_layer *layer = &model->layers[number];
    const size_t width = spikeseq_width(model, number), inputs = layer->input_size, hidden = layer->hidden_size;
    const float *reach = number ? layer[-1].reach : model->input_code == SPIKESEQ_SIGMA_DELTA ? layer->input_reach : NULL;
    if (!spikeseq_ranges(layer->reach, 1))
        return 0;
    if ((reach && !spikeseq_ranges(reach, 1)) || !rows_fit(spikeseq_input_rows(model, number), inputs, width, reach))
        return 0;
    if (model->kind == SPIKESEQ_LEAKY)
        return weights(layer->leak, hidden);
    const spikeseq_rows own = spikeseq_own_rows(model, number);
    return !(own.rows || own.rows8) || rows_fit(own, hidden, width, layer->reach);
}

static int size_within(uint32_t value, uint32_t most) { return value >= 1 && value <= most; }

static int missing(const spikeseq_layer *layer, const spikeseq_model *model, uint32_t number)
{
    const int code = number ? SPIKESEQ_DIRECT : (int)model->input_code, lif = model->kind == SPIKESEQ_LIF;
    if (code == SPIKESEQ_SIGMA_DELTA ? !layer->input_reach : code != SPIKESEQ_DIRECT && !layer->input_step)
        return 1;
    if (spikeseq_units(model) ? !layer->input_rows_int8 || !layer->input_unit ||
                                    (layer->recurrent_rows_int8 && !layer->recurrent_unit)
                              : !layer->input_rows)
        return 1;
    if (spikeseq_coded(model))
        return !layer->reach || (model->kind == SPIKESEQ_LEAKY && !layer->leak);
    return !layer->threshold || (!lif && !layer->clip) || (spikeseq_gates(model) == 4 && !layer->recurrent_rows) ||
           (model->kind == SPIKESEQ_STREAMS && !layer->offset);
}

static int missing_int8(const spikeseq_layer_int8 *layer, const spikeseq_model *model, uint32_t number)
{
    const int coded = model->input_code != SPIKESEQ_DIRECT;
    const int lif = model->kind == SPIKESEQ_LIF, compares = model->kind == SPIKESEQ_GRID || model->kind == SPIKESEQ_LEVELS;
    return !layer->input_rows || (!lif && (!layer->clip || !layer->candidate)) ||
           (spikeseq_gates(model) == 4 && !layer->recurrent_rows) ||
           (compares ? !layer->levels : !layer->threshold || !layer->extra || (!lif && !layer->offset)) ||
           (number == 0 && (coded ? !layer->input_shift || !layer->input_step : !layer->input_scale));
}

spikeseq_status spikeseq_check_shape(const spikeseq_model *model)
{
    if (!model || !(model->layers || model->layers_int8))
        return SPIKESEQ_NULL;
    const uint32_t steps = model->time_steps;
    if (!size_within(steps, 16) || (steps & (steps - 1)) || !size_within(model->num_layers, 64) ||
        model->max_packet > 127 || (model->shift != 0.5f && model->shift != 0.0f) ||
        model->kind > SPIKESEQ_LEAKY || model->is_signed > 1 ||
        (spikeseq_coded(model) && bad_code(model)) ||
        model->input_code > (spikeseq_coded(model) ? SPIKESEQ_SIGMA_DELTA : SPIKESEQ_DELTA) || model->reset > SPIKESEQ_TO_ZERO ||
        model->pooling > SPIKESEQ_POOL_SUM || model->outputs > 1u << 16)
        return SPIKESEQ_BAD_MODEL;
    for (uint32_t l = 0; l < model->num_layers; l++) {
        if (model->layers ? missing(&model->layers[l], model, l) : missing_int8(&model->layers_int8[l], model, l))
            return SPIKESEQ_NULL;
        const spikeseq_layer *layer = model->layers ? &model->layers[l] : NULL;
        if (layer && spikeseq_units(model) && (layer->input_rows || layer->recurrent_rows || model->readout_rows))
            return SPIKESEQ_BAD_MODEL; /* one form of rows, or the other */
        const uint32_t most = spikeseq_units(model) ? 1u << 17 : 1u << 20; /* products of 127 and 128 fit 32 bits */
        if (!size_within(spikeseq_inputs(model, l), most) || !size_within(spikeseq_hidden(model, l), 1u << 16) ||
            (l && spikeseq_inputs(model, l) != spikeseq_hidden(model, l - 1)))
            return SPIKESEQ_BAD_MODEL;
        const uint64_t columns = spikeseq_width(model, l), tall = spikeseq_inputs(model, l);
        if ((tall > columns ? tall : columns) * columns > SIZE_MAX / sizeof(float)) /* where an address has 32 bits */
            return SPIKESEQ_BAD_MODEL;
    }
    if (!model->outputs)
        return SPIKESEQ_OK;
    const int floats = model->layers && !spikeseq_units(model);
    const int there = floats ? model->readout_rows != NULL : model->readout_int8 && model->readout_scale;
    return there ? SPIKESEQ_OK : SPIKESEQ_NULL;
}

spikeseq_status spikeseq_check(const spikeseq_model *model)
{
    const spikeseq_status status = spikeseq_check_shape(model);
    if (status != SPIKESEQ_OK)
        return status;
    if (!model->layers)
        return spikeseq_check_int8(model);
    int good = 1;
    for (uint32_t l = 0; l < model->num_layers; l++) {
        const spikeseq_layer *layer = &model->layers[l];
        const size_t hidden = layer->hidden_size, width = spikeseq_width(model, l);
        const size_t neurons = spikeseq_gates(model) < 4 ? hidden : 3 * hidden;
        good = good && (spikeseq_coded(model) || weights(layer->input_rows, layer->input_size * width)) &&
               (!layer->bias || weights(layer->bias, width));
        if (spikeseq_coded(model)) {
            good = good && coded_fits(model, l);
            continue;
        }
        good = good && spikeseq_ranges(layer->threshold, neurons) && (!layer->leak || leaks(layer->leak, neurons)) &&
               (!layer->offset || weights(layer->offset, neurons));
        if (model->kind != SPIKESEQ_LIF)
            good = good && (!layer->recurrent_rows || weights(layer->recurrent_rows, hidden * width)) &&
                   spikeseq_ranges(layer->clip, hidden);
        for (size_t j = 0; model->kind == SPIKESEQ_LEVELS && j < hidden; j++)
            good = good && layer->clip[j] <= 1.0f; /* so that currents stay within [-1, 1] */
    }
    if (model->input_code == SPIKESEQ_INT8 || model->input_code == SPIKESEQ_DELTA)
        good = good && spikeseq_ranges(model->layers->input_step, model->layers->input_size);
    if (model->outputs)
        good = good && rows_fit(spikeseq_readout_rows(model), spikeseq_last_hidden(model), model->outputs,
                                spikeseq_coded(model) ? model->layers[model->num_layers - 1].reach : NULL) &&
               (!model->readout_bias || weights(model->readout_bias, model->outputs));
    return good ? SPIKESEQ_OK : SPIKESEQ_BAD_WEIGHT;
}

uint32_t spikeseq_last_hidden(const spikeseq_model *model)
{
    return spikeseq_hidden(model, model->num_layers - 1);
}

size_t spikeseq_output_len(const spikeseq_model *model)
{
    return model->outputs ? model->outputs : spikeseq_last_hidden(model);
}

size_t spikeseq_summed(const spikeseq_model *model)
{
    const int of_values = model->outputs && spikeseq_coded(model) && model->pooling != SPIKESEQ_POOL_LAST;
    return of_values ? spikeseq_last_hidden(model) : model->outputs;
}

size_t spikeseq_layer_offset(const spikeseq_model *model, uint32_t number)
{
    size_t before = 0;
    for (uint32_t l = 0; l < number; l++)
        before += (size_t)spikeseq_hidden(model, l) * spikeseq_nodes(model);
    return before;
}

size_t spikeseq_cell_offset(const spikeseq_model *model, uint32_t number)
{
    const size_t before = spikeseq_layer_offset(model, number);
    return model->kind == SPIKESEQ_LIF ? before / model->time_steps : model->kind >= SPIKESEQ_LEVELS ? 2 * before : before;
}
