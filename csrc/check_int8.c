/* What the numbers of an int8 model must be so that no sum of 32 bits overflows, whatever the spikes. */
#include <math.h>

#include "internal.h"

enum {
    LARGEST_SUM = 1 << 26,    /* of a membrane: it is shifted up by at most 4 bits */
    LARGEST_CARRIED = 1 << 27, /* of what is added to a membrane that is kept within LARGEST_NEURON */
    LARGEST_CODED = 1 << 30,  /* of a coded input's product */
};

static int power_of_two(float value)
{
    int exponent;
    return value > 0.0f && value <= 1e30f && frexpf(value, &exponent) == 0.5f;
}

static int64_t magnitude(int64_t value) { return value < 0 ? -value : value; }

/* sum of |w| of column j */
static int64_t column(const int8_t *rows, size_t inputs, size_t width, size_t j)
{
    int64_t sum = 0;
    for (size_t i = 0; i < inputs; i++)
        sum += magnitude(rows[i * width + j]);
    return sum;
}

/* what channel j adds in a time step at most, if a spike stands for `packet` of them */
static int64_t current(const spikeseq_model *model, uint32_t number, int64_t packet, size_t j)
{
    const spikeseq_layer_int8 *layer = &model->layers_int8[number];
    const size_t width = spikeseq_width(model, number);
    int64_t sum = layer->recurrent_rows ? column(layer->recurrent_rows, layer->hidden_size, width, j) : 0;
    sum += number ? column(layer->input_rows, layer->input_size, width, j) : 0;
    sum = sum * packet + (layer->bias ? magnitude(layer->bias[j]) : 0);
    return sum + (number ? 0 : spikeseq_largest_drive(model));
}

/* neuron g of a layer, to which at most so much is added in a time step */
static int neuron_fits(const spikeseq_model *model, const spikeseq_layer_int8 *layer, int64_t most, size_t g)
{
    const int streams = model->kind == SPIKESEQ_STREAMS;
    if (layer->extra[g] > 12 || layer->threshold[g] < 1 || layer->threshold[g] > SPIKESEQ_LARGEST_NEURON)
        return 0;
    if (layer->leak && (layer->leak[g] > 1 << 16 || (streams && layer->leak[g] % 256)))
        return 0;
    most <<= layer->extra[g];
    return streams ? model->time_steps * (most + magnitude(layer->offset[g])) <= SPIKESEQ_LARGEST_NEURON
                   : most <= LARGEST_CARRIED;
}

static int layer_fits(const spikeseq_model *model, uint32_t number)
{
    const spikeseq_layer_int8 *layer = &model->layers_int8[number];
    const size_t hidden = layer->hidden_size;
    const int levels = model->kind == SPIKESEQ_LEVELS;
    const int64_t steps = spikeseq_nodes(model);
    const int64_t packet = levels ? model->time_steps : model->kind == SPIKESEQ_GRID ? 2 * steps - 1 : 1;
    for (size_t j = 0; j < spikeseq_width(model, number); j++) {
        const int64_t most = current(model, number, packet, j);
        const size_t block = j / hidden, gate = block < 2 ? block : 2; /* of streams; block 2 is g, no neuron */
        const int neuron = model->kind == SPIKESEQ_LIF || (model->kind == SPIKESEQ_STREAMS && block != 2);
        if (most * steps > LARGEST_SUM || (neuron && !neuron_fits(model, layer, most, gate * hidden + j % hidden)))
            return 0;
    }
    for (size_t j = 0; layer->clip && j < hidden; j++)
        if (layer->clip[j] < 1 || layer->clip[j] > (levels ? SPIKESEQ_ONE : 1 << 25) || layer->candidate[j] < 4 || layer->candidate[j] > 24)
            return 0;
    return 1;
}

static int input_fits(const spikeseq_model *model)
{
    const spikeseq_layer_int8 *layer = model->layers_int8;
    const size_t width = spikeseq_width(model, 0);
    for (size_t j = 0; j < width; j++) {
        if (model->input_code == SPIKESEQ_DIRECT ? !power_of_two(layer->input_scale[j])
                                                 : layer->input_shift[j] < -30 || layer->input_shift[j] > 24 ||
                                                       127 * column(layer->input_rows, layer->input_size, width, j) >
                                                           LARGEST_CODED)
            return 0;
    }
    return model->input_code == SPIKESEQ_DIRECT || spikeseq_ranges(layer->input_step, layer->input_size);
}

spikeseq_status spikeseq_check_int8(const spikeseq_model *model)
{
    int good = input_fits(model);
    for (uint32_t l = 0; l < model->num_layers; l++)
        good = good && layer_fits(model, l);
    for (size_t o = 0; o < model->outputs; o++)
        good = good && power_of_two(model->readout_scale[o]) &&
               (!model->readout_bias || fabsf(model->readout_bias[o]) <= 1e30f);
    return good ? SPIKESEQ_OK : SPIKESEQ_BAD_WEIGHT;
}
