/* Event add of int8 rows into int32 sums; as event_add.c. */
#include "internal.h"

SPIKESEQ_HOT static void add_rows(int32_t *restrict sum, const int8_t *restrict rows, size_t width,
                                  const uint32_t *restrict list, size_t count)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        const int8_t *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        const int8_t *restrict c = rows + list[e + 2] * width, *restrict d = rows + list[e + 3] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] += (int16_t)((a[j] + b[j]) + (c[j] + d[j])); /* at most 512: added in 16 bits */
    }
    for (; e < count; e++) {
        const int8_t *restrict a = rows + list[e] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] += a[j];
    }
}

SPIKESEQ_HOT static void subtract_rows(int32_t *restrict sum, const int8_t *restrict rows, size_t width,
                                       const uint32_t *restrict list, size_t count)
{
    size_t e = 0;
    for (; e + 4 <= count; e += 4) {
        const int8_t *restrict a = rows + list[e] * width, *restrict b = rows + list[e + 1] * width;
        const int8_t *restrict c = rows + list[e + 2] * width, *restrict d = rows + list[e + 3] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] -= (int16_t)((a[j] + b[j]) + (c[j] + d[j]));
    }
    for (; e < count; e++) {
        const int8_t *restrict a = rows + list[e] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] -= a[j];
    }
}

uint64_t spikeseq_event_add_int8(int32_t *sum, const int8_t *rows, size_t width, const int8_t *k, size_t inputs, uint32_t *list)
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

SPIKESEQ_HOT void spikeseq_add_int8(int32_t *restrict sum, const int32_t *restrict step, size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += step[j];
}
