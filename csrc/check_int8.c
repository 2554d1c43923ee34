/* What the numbers of an int8 model must be so that no sum of 32 bits overflows, whatever the spikes. */
#include <math.h>

#include "internal.h"

enum { LARGEST_SUM = 1 << 26 }; /* of a membrane: it is shifted up by at most 4 bits */

static int power_of_two(float value)
{
    int exponent;
    return value > 0.0f && value <= 1e30f && frexpf(value, &exponent) == 0.5f;
}

static int64_t magnitude(int64_t value) { return value < 0 ? -value : value; }

/* |A| <= T |drive| + T (2T - 1) sum |w|, of channel j */
static int fits(const spikeseq_layer_int8 *layer, uint32_t number, uint32_t steps, size_t j)
{
    const size_t width = 4 * (size_t)layer->hidden_size;
    int64_t sum = 0;
    for (size_t i = 0; i < layer->hidden_size; i++)
        sum += magnitude(layer->recurrent_rows[i * width + j]);
    for (size_t i = 0; number && i < layer->input_size; i++)
        sum += magnitude(layer->input_rows[i * width + j]);
    sum = sum * steps * (2 * (int64_t)steps - 1) + (layer->bias ? magnitude(layer->bias[j]) * steps : 0);
    return sum + (number ? 0 : 1 << 24) <= LARGEST_SUM;
}

spikeseq_status spikeseq_check_int8(const spikeseq_model *model)
{
    int good = 1;
    for (uint32_t l = 0; l < model->num_layers; l++) {
        const spikeseq_layer_int8 *layer = &model->layers_int8[l];
        for (size_t j = 0; j < 4 * (size_t)layer->hidden_size; j++)
            good = good && fits(layer, l, model->time_steps, j) && (l || power_of_two(layer->input_scale[j]));
        for (size_t j = 0; j < layer->hidden_size; j++)
            good = good && layer->clip[j] >= 1 && layer->clip[j] <= 1 << 25 && layer->candidate[j] >= 4 &&
                   layer->candidate[j] <= 24;
    }
    for (size_t o = 0; o < model->outputs; o++)
        good = good && power_of_two(model->readout_scale[o]) &&
               (!model->readout_bias || fabsf(model->readout_bias[o]) <= 1e30f);
    return good ? SPIKESEQ_OK : SPIKESEQ_BAD_WEIGHT;
}
