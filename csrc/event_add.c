/* Event add: a spike adds its row of weights, a packet of k spikes adds it k times. No multiplication.
 *
 * Four rows a pass, so that a sum is read and written once for four rows; rows are read from front to end, which is what
 * a prefetcher follows. gcc 12 -O3 vectorises the three loops over j.
 */
#include "internal.h"

SPIKESEQ_HOT static void add_rows(float *restrict sum, const float *restrict rows, size_t width,
                                  const uint32_t *restrict list, size_t count)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        const float *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        const float *restrict c = rows + list[e + 2] * width, *restrict d = rows + list[e + 3] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] += (a[j] + b[j]) + (c[j] + d[j]);
    }
    for (; e < count; e++) {
        const float *restrict a = rows + list[e] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] += a[j];
    }
}

SPIKESEQ_HOT static void subtract_rows(float *restrict sum, const float *restrict rows, size_t width,
                                       const uint32_t *restrict list, size_t count)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        const float *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        const float *restrict c = rows + list[e + 2] * width, *restrict d = rows + list[e + 3] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] -= (a[j] + b[j]) + (c[j] + d[j]);
    }
    for (; e < count; e++) {
        const float *restrict a = rows + list[e] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] -= a[j];
    }
}

int spikeseq_most(const int8_t *k, size_t inputs)
{
    int found = 0;
    for (size_t j = 0; j < inputs; j++) {
        const int size = k[j] < 0 ? -k[j] : k[j];
        found = size > found ? size : found;
    }
    return found;
}

uint64_t spikeseq_event_add(float *sum, const float *rows, size_t width, const int8_t *k, size_t inputs, uint32_t *list)
{
    uint64_t spikes = 0;
    const int largest = spikeseq_most(k, inputs);
    for (int level = 1; level <= largest; level++) {
        size_t plus = 0, minus = 0;
        for (size_t j = 0; j < inputs; j++) { /* branch-free: the next hit overwrites a miss */
            list[plus] = (uint32_t)j;
            plus += k[j] >= level;
        }
        add_rows(sum, rows, width, list, plus);
        for (size_t j = 0; j < inputs; j++) {
            list[minus] = (uint32_t)j;
            minus += k[j] <= -level;
        }
        subtract_rows(sum, rows, width, list, minus);
        spikes += plus + minus;
    }
    return spikes;
}

SPIKESEQ_HOT void spikeseq_add(float *restrict sum, const float *restrict step, size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += step[j];
}
