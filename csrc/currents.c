/* Currents of a layer: a constant part, and rows of weights of the spikes that come in.
 *
 * The spikes of all T time steps are known before the first is computed. What a unit sends at t = 1 and at t = 2 (3 and 4,
 * ..) with the same sign is added up once for both: a neuron that is busy often sends at both.
 */
#include <string.h>

#include "values.h"

enum { WORTH = 8 }; /* spikes in common that are worth the two further additions of a whole row */

void spikeseq_start(void *sum, const void *constant, size_t width)
{
    if (constant)
        memcpy(sum, constant, width * 4);
    else
        memset(sum, 0, width * 4);
}

/* sum [G] += step [G] */
static void add(const spikeseq_element *e, void *sum, const void *step)
{
    if (e->layer)
        spikeseq_add(sum, step, e->width);
    else
        spikeseq_add_int8(sum, step, e->width);
}

/* sum [G] += rows of spikes, or multiples of rows, for k */
static uint64_t events(const spikeseq_element *e, const spikeseq_source *source, const int8_t *k, void *sum)
{
    spikeseq_stream *stream = e->stream;
    if (spikeseq_coded(stream->model))
        return spikeseq_event_multiply(sum, source->values, e->width, source->code, k, source->inputs, stream->list,
                                       stream->membrane_int8);
    if (e->layer)
        return spikeseq_event_add(sum, source->rows, e->width, k, source->inputs, stream->list);
    return spikeseq_event_add_int8(sum, source->rows, e->width, k, source->inputs, stream->list, stream->scratch);
}

SPIKESEQ_HOT uint64_t spikeseq_split(const int8_t *restrict one, const int8_t *restrict two, size_t inputs,
                                     int8_t *restrict common, int8_t *restrict first, int8_t *restrict second)
{
    uint32_t spikes = 0;
    for (size_t j = 0; j < inputs; j++) {
        const int a = one[j], b = two[j], low = a < b ? a : b, high = a < b ? b : a;
        const int both = low > 0 ? low : high < 0 ? high : 0;
        common[j] = (int8_t)both;
        first[j] = (int8_t)(a - both);
        second[j] = (int8_t)(b - both);
        spikes += (uint32_t)(both < 0 ? -both : both);
    }
    return spikes;
}

/* Spikes of a source at t and t + 1; those in common go into stream->shared where there are enough. */
static void pair_up(const spikeseq_element *e, spikeseq_source *source, uint32_t t)
{
    const int8_t *k = source->k + (t - 1) * source->inputs;
    source->now[0] = k;
    source->now[1] = k + source->inputs;
    source->common = 0;
    if (spikeseq_nodes(e->stream->model) == 1)
        return;
    int8_t *second = source->rest + source->inputs;
    if (spikeseq_split(k, k + source->inputs, source->inputs, e->stream->packets, source->rest, second) < WORTH)
        return;
    source->common = events(e, source, e->stream->packets, e->stream->shared);
    source->now[0] = source->rest;
    source->now[1] = second;
}

uint64_t spikeseq_current(spikeseq_element *e, uint32_t t)
{
    void *sum = e->layer ? (void *)e->stream->membrane : (void *)e->stream->membrane_int8;
    uint64_t spikes = 0;
    if (t % 2) {
        if (e->stream->shared)
            spikeseq_start(e->stream->shared, NULL, e->width);
        for (size_t s = 0; s < e->num_sources; s++)
            pair_up(e, &e->sources[s], t);
    }
    if (t == 1 || e->stream->model->kind != SPIKESEQ_GRID) /* the other kinds keep no sum of currents */
        spikeseq_start(sum, e->drive, e->width);
    else if (e->drive)
        add(e, sum, e->drive);
    for (size_t s = 0; s < e->num_sources; s++)
        spikes += e->sources[s].common;
    if (spikes)
        add(e, sum, e->stream->shared);
    for (size_t s = 0; s < e->num_sources; s++)
        spikes += events(e, &e->sources[s], e->sources[s].now[1 - t % 2], sum);
    return spikes;
}
