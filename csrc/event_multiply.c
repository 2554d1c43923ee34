/* Event multiply: a multi-bit value that is not 0 adds its multiple of a row; the others cost nothing. Four rows a pass, as
 * in event_add.c.
 */
#include "values.h"

SPIKESEQ_HOT static void one_row(float *restrict sum, const float *restrict row, size_t width, float y)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += y * row[j];
}

static void in_floats(float *sum, const float *rows, size_t width, spikeseq_code code, const spikeseq_spikes *s)
{
    size_t e = 0;
    for (; e + 4 <= s->num_active; e += 4) {
        const float *four[4];
        float y[4];
        for (size_t r = 0; r < 4; r++) {
            four[r] = rows + s->active[e + r] * width;
            y[r] = spikeseq_value(code, s->k[s->active[e + r]]);
        }
        spikeseq_four_values(sum, four, width, y);
    }
    for (; e < s->num_active; e++)
        one_row(sum, rows + s->active[e] * width, width, spikeseq_value(code, s->k[s->active[e]]));
}

SPIKESEQ_HOT static void scaled(float *restrict sum, const int32_t *restrict whole, const float *restrict unit, float level,
                                size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += (float)whole[j] * (unit[j] * level);
}

static void in_integers(float *sum, spikeseq_rows rows, size_t width, spikeseq_code code, const spikeseq_spikes *s, int32_t *whole)
{
    spikeseq_start(whole, NULL, width);
    for (size_t e = 0; e < s->num_active; e += 4) {
        const int8_t *four[4];
        int16_t k[4];
        for (size_t r = 0; r < 4; r++) {
            const int there = e + r < s->num_active; /* what is not there is a factor 0 of a row that is */
            const uint32_t j = s->active[there ? e + r : e];
            four[r] = rows.rows8 + j * width;
            k[r] = there ? s->k[j] : 0;
        }
        spikeseq_four_rows(whole, four, width, k);
    }
    scaled(sum, whole, rows.unit, code.reach / code.scale, width);
}

uint64_t spikeseq_event_multiply(float *sum, spikeseq_rows rows, size_t width, spikeseq_code code, const int8_t *k,
                                 size_t inputs, uint32_t *list, int32_t *whole)
{
    const spikeseq_spikes s = spikeseq_spikes_of(k, inputs, list);
    if (s.num_active && rows.rows8)
        in_integers(sum, rows, width, code, &s, whole);
    else
        in_floats(sum, rows.rows, width, code, &s);
    return s.num_active;
}
