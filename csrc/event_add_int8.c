/* Event add of int8 rows into int32 sums; as event_add.c.
 *
 * Two columns are added at a time: a pair of bytes, read as one word of 16 bits, is 256 hi + lo. With 128 added to the low
 * byte (its top bit flipped) lo is 0 .. 255, and for up to 255 spikes the sum of the hi fits 16 bits, and so does that of
 * the lo, which is what is left of the sum of the words. No bit is lost.
 */
#include <string.h>

#include "internal.h"

enum { MOST_SPIKES = 252, TILE = SPIKESEQ_TILE }; /* in 16 bits: up to 255, in passes of four; columns */

/* words and upper bytes, summed modulo 2^16 */
typedef struct {
    uint16_t *words, *upper; /* [columns / 2] */
} sums16;

/* 1 where the first byte of a word is its upper one */
static inline int big_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 0;
}

static SPIKESEQ_INLINE uint16_t pair(const int8_t *row, size_t j)
{
    uint16_t word;
    memcpy(&word, row + 2 * j, 2);
    return word ^ 0x80;
}

static SPIKESEQ_INLINE int upper(uint16_t word) { return (int16_t)word >> 8; } /* arithmetic, as in every compiler */

/* `minus` and how many rows there are, 1 to 4, are constants of each instance */
static SPIKESEQ_INLINE void group(uint16_t *restrict words, uint16_t *restrict uppers, const int8_t *restrict a,
                                  const int8_t *restrict b, const int8_t *restrict c, const int8_t *restrict d,
                                  size_t pairs, int count, int minus)
{
    for (size_t j = 0; j < pairs; j++) {
        const uint16_t p = pair(a, j), q = count > 1 ? pair(b, j) : 0, r = count > 2 ? pair(c, j) : 0, s = count > 3 ? pair(d, j) : 0;
        const int four = (p + q) + (r + s), high = (upper(p) + upper(q)) + (upper(r) + upper(s));
        words[j] = (uint16_t)(minus ? words[j] - four : words[j] + four);
        uppers[j] = (uint16_t)(minus ? uppers[j] - high : uppers[j] + high);
    }
}

static SPIKESEQ_INLINE void rows_into(uint16_t *restrict words, uint16_t *restrict uppers, const int8_t *restrict rows,
                                      size_t width, size_t pairs, const uint32_t *restrict list, size_t count, int minus)
{
    for (; count >= 4; count -= 4, list += 4)
        group(words, uppers, rows + list[0] * width, rows + list[1] * width, rows + list[2] * width, rows + list[3] * width, pairs, 4, minus);
    switch (count) {
    case 3: group(words, uppers, rows + list[0] * width, rows + list[1] * width, rows + list[2] * width, rows, pairs, 3, minus); break;
    case 2: group(words, uppers, rows + list[0] * width, rows + list[1] * width, rows, rows, pairs, 2, minus); break;
    case 1: group(words, uppers, rows + list[0] * width, rows, rows, rows, pairs, 1, minus); break;
    default: break;
    }
}

SPIKESEQ_HOT static void add_rows(uint16_t *words, uint16_t *uppers, const int8_t *rows, size_t width, size_t pairs,
                                  const uint32_t *list, size_t count)
{
    rows_into(words, uppers, rows, width, pairs, list, count, 0);
}

SPIKESEQ_HOT static void subtract_rows(uint16_t *words, uint16_t *uppers, const int8_t *rows, size_t width, size_t pairs,
                                       const uint32_t *list, size_t count)
{
    rows_into(words, uppers, rows, width, pairs, list, count, 1);
}

/* sum [2 pairs] += what plus and minus spikes left in 16 bits */
SPIKESEQ_HOT static void widen(int32_t *restrict sum, const uint16_t *restrict words, const uint16_t *restrict uppers,
                               size_t pairs, int plus, int minus)
{
    const int least = 255 * minus, offset = least + 128 * (plus - minus), first = big_endian();
    for (size_t j = 0; j < pairs; j++) {
        const int high = (int16_t)uppers[j], low = (uint16_t)(words[j] - 256 * high + least) - offset;
        sum[2 * j] += first ? high : low;
        sum[2 * j + 1] += first ? low : high;
    }
}

/* sum [columns] += rows at plus, -= rows at minus; columns even, at most TILE */
static void add_tile(int32_t *sum, const int8_t *rows, size_t width, size_t columns, const spikeseq_spikes *s,
                     uint16_t *scratch)
{
    const size_t pairs = columns / 2;
    uint16_t *words = scratch, *uppers = scratch + pairs;
    for (size_t p = 0, m = 0; p < s->num_plus || m < s->num_minus;) {
        const size_t plus = s->num_plus - p < MOST_SPIKES ? s->num_plus - p : MOST_SPIKES, room = MOST_SPIKES - plus;
        const size_t minus = s->num_minus - m < room ? s->num_minus - m : room;
        memset(scratch, 0, 2 * pairs * sizeof *scratch);
        add_rows(words, uppers, rows, width, pairs, s->plus + p, plus);
        subtract_rows(words, uppers, rows, width, pairs, s->minus + m, minus);
        widen(sum, words, uppers, pairs, (int)plus, (int)minus);
        p += plus;
        m += minus;
    }
}

/* one column */
static void add_column(int32_t *sum, const int8_t *column, size_t width, const spikeseq_spikes *s)
{
    for (size_t e = 0; e < s->num_plus; e++)
        *sum += column[s->plus[e] * width];
    for (size_t e = 0; e < s->num_minus; e++)
        *sum -= column[s->minus[e] * width];
}

uint64_t spikeseq_event_add_int8(int32_t *sum, const int8_t *rows, size_t width, const int8_t *k, size_t inputs,
                                 uint32_t *list, uint16_t *scratch)
{
    uint64_t spikes = 0;
    const size_t even = width & ~(size_t)1;
    spikeseq_spikes s = spikeseq_spikes_of(k, inputs, list);
    for (int level = 1; spikeseq_spikes_at(&s, level); level++) {
        for (size_t j = 0; j < even; j += TILE)
            add_tile(sum + j, rows + j, width, even - j < TILE ? even - j : TILE, &s, scratch);
        if (even < width)
            add_column(sum + even, rows + even, width, &s);
        spikes += s.num_plus + s.num_minus;
    }
    return spikes;
}

SPIKESEQ_HOT void spikeseq_add_int8(int32_t *restrict sum, const int32_t *restrict step, size_t width)
{
    for (size_t j = 0; j < width; j++)
        sum[j] += step[j];
}
