/* Multi-bit values: what gated and leaky currents send, in a sigma-delta code, and the rows that it meets. */
#ifndef SPIKESEQ_VALUES_H
#define SPIKESEQ_VALUES_H

#include "internal.h"

/* sum [width] += sum_j y[j] rows[j] of multi-bit values k [inputs]; list [2 inputs] and whole [width] are scratch. Returns how
 * many are not 0. */
uint64_t spikeseq_event_multiply(float *sum, spikeseq_rows rows, size_t width, spikeseq_code code, const int8_t *k,
                                 size_t inputs, uint32_t *list, int32_t *whole);

/* drive [width] = bias (or 0) + unit sum_j x[j] rows8[j] */
void spikeseq_input_product_units(float *restrict drive, spikeseq_rows rows, const float *restrict bias,
                                  const float *restrict x, size_t inputs, size_t width);

/* rest [count] += value [count]; k [count]: its levels, `dead` next to 0 sent as 0; rest -= y. Returns how many are not 0. */
uint64_t spikeseq_sigma_delta(const spikeseq_model *model, spikeseq_code code, float low, float dead, size_t count,
                              const float *value, float *rest, int8_t *k);

/* node n of gated or leaky currents: current [G] -> state [2][H] s, e; k [H]. Returns how many are not 0. */
uint64_t spikeseq_coded_node(const spikeseq_layer *layer, const spikeseq_model *model, const float *current, float *state,
                             int8_t *k);

/* values in stream->sum */
size_t spikeseq_summed(const spikeseq_model *model);

/* y of level k */
static inline float spikeseq_value(spikeseq_code code, float k) { return code.reach * (k / code.scale); }

/* whether the weights of gated or leaky currents are integers; their other numbers are floats */
static inline int spikeseq_units(const spikeseq_model *model)
{
    return spikeseq_coded(model) && model->layers->input_rows_int8;
}

/* of the two forms of rows the one that the model has */
static inline spikeseq_rows spikeseq_one_of(const spikeseq_model *model, const float *rows, const int8_t *rows8,
                                            const float *unit)
{
    return spikeseq_units(model) ? (spikeseq_rows){NULL, rows8, unit} : (spikeseq_rows){rows, NULL, NULL};
}

static inline spikeseq_rows spikeseq_input_rows(const spikeseq_model *model, uint32_t number)
{
    const spikeseq_layer *layer = &model->layers[number];
    return spikeseq_one_of(model, layer->input_rows, layer->input_rows_int8, layer->input_unit);
}

static inline spikeseq_rows spikeseq_own_rows(const spikeseq_model *model, uint32_t number)
{
    const spikeseq_layer *layer = &model->layers[number];
    return spikeseq_one_of(model, layer->recurrent_rows, layer->recurrent_rows_int8, layer->recurrent_unit);
}

static inline spikeseq_rows spikeseq_readout_rows(const spikeseq_model *model)
{
    return spikeseq_one_of(model, model->readout_rows, model->readout_int8, model->readout_scale);
}

/* the code of a layer's outputs, if it sends multi-bit values */
static inline spikeseq_code spikeseq_code_of(const spikeseq_model *model, uint32_t number)
{
    spikeseq_code code = {0.0f, 1.0f};
    if (spikeseq_coded(model))
        code = (spikeseq_code){model->layers[number].reach[0], model->code_scale};
    return code;
}

#endif
