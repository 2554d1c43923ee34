/* Event add: a spike adds its row of weights, a packet of k spikes adds it k times. No multiplication.
 *
 * Four rows a pass, so that a sum is read and written once for four rows; rows are read from front to end, which is what
 * a prefetcher follows (passes of eight rows, column tiles and software prefetches were measured: none is faster).
 */
#include "internal.h"

/* sum +- rows; `minus` is a constant of each instance */
static SPIKESEQ_INLINE void rows_into(float *restrict sum, const float *restrict rows, size_t width,
                                      const uint32_t *restrict list, size_t count, int minus)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        const float *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        const float *restrict c = rows + list[e + 2] * width, *restrict d = rows + list[e + 3] * width;
        for (size_t j = 0; j < width; j++) {
            const float four = (a[j] + b[j]) + (c[j] + d[j]);
            sum[j] = minus ? sum[j] - four : sum[j] + four;
        }
    }
    for (; e + 2 <= count; e += 2) {
        const float *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] = minus ? sum[j] - (a[j] + b[j]) : sum[j] + (a[j] + b[j]);
    }
    for (; e < count; e++) {
        const float *restrict a = rows + list[e] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] = minus ? sum[j] - a[j] : sum[j] + a[j];
    }
}

SPIKESEQ_HOT static void add_rows(float *sum, const float *rows, size_t width, const uint32_t *list, size_t count)
{
    rows_into(sum, rows, width, list, count, 0);
}

SPIKESEQ_HOT static void subtract_rows(float *sum, const float *rows, size_t width, const uint32_t *list, size_t count)
{
    rows_into(sum, rows, width, list, count, 1);
}

uint64_t spikeseq_event_add(float *sum, const float *rows, size_t width, const int8_t *k, size_t inputs, uint32_t *list)
{
    uint64_t spikes = 0;
    spikeseq_spikes s = spikeseq_spikes_of(k, inputs, list);
    for (int level = 1; spikeseq_spikes_at(&s, level); level++) {
        add_rows(sum, rows, width, s.plus, s.num_plus);
        subtract_rows(sum, rows, width, s.minus, s.num_minus);
        spikes += s.num_plus + s.num_minus;
    }
    return spikes;
}

SPIKESEQ_HOT void spikeseq_add(float *restrict sum, const float *restrict step, size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += step[j];
}
