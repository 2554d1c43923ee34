/* Four values times four rows of int8 weights, added to int32 sums: the inner loop of every such product.
 *
 * x86 multiplies pairs of 16-bit numbers and adds each pair up in one instruction, which gcc 12 finds in no loop over
 * columns: hence the intrinsics (docs/experiments.md, session 6). The plain loop behind them gives the same integers.
 */
#include "internal.h"

#if defined(SPIKESEQ_CLONES) && defined(__x86_64__)
#define WITH_AVX2 __attribute__((target("avx2")))
#define HAS_AVX2() __builtin_cpu_supports("avx2")
#elif defined(__AVX2__)
#define WITH_AVX2
#define HAS_AVX2() 1
#endif

#ifdef WITH_AVX2
#include <immintrin.h>

/* 16 columns as 16-bit numbers */
WITH_AVX2 static inline __m256i columns(const int8_t *row) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)row)); }

/* two factors, for every column */
WITH_AVX2 static inline __m256i factors(int16_t even, int16_t odd)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)even | (uint32_t)(uint16_t)odd << 16));
}

/* sum [8] += add */
WITH_AVX2 static inline void add_eight(int32_t *sum, __m256i add)
{
    _mm256_storeu_si256((void *)sum, _mm256_add_epi32(_mm256_loadu_si256((const void *)sum), add));
}

/* Returns how many columns are done. */
WITH_AVX2 static size_t sixteen_at_a_time(int32_t *sum, const int8_t *a, const int8_t *b, const int8_t *c, const int8_t *d,
                                          size_t width, const int16_t *k)
{
    const __m256i first = factors(k[0], k[1]), second = factors(k[2], k[3]);
    size_t j = 0;
    for (; j + 16 <= width; j += 16) {
        const __m256i p = columns(a + j), q = columns(b + j), r = columns(c + j), s = columns(d + j);
        /* columns 0-3 and 8-11, then 4-7 and 12-15: an unpack works within halves of a vector */
        const __m256i low = _mm256_add_epi32(_mm256_madd_epi16(first, _mm256_unpacklo_epi16(p, q)),
                                             _mm256_madd_epi16(second, _mm256_unpacklo_epi16(r, s)));
        const __m256i high = _mm256_add_epi32(_mm256_madd_epi16(first, _mm256_unpackhi_epi16(p, q)),
                                              _mm256_madd_epi16(second, _mm256_unpackhi_epi16(r, s)));
        add_eight(sum + j, _mm256_permute2x128_si256(low, high, 0x20));
        add_eight(sum + j + 8, _mm256_permute2x128_si256(low, high, 0x31));
    }
    return j;
}
#endif

SPIKESEQ_HOT static void plain(int32_t *restrict sum, const int8_t *restrict a, const int8_t *restrict b,
                               const int8_t *restrict c, const int8_t *restrict d, size_t from, size_t width, const int16_t *k)
{
    const int p = k[0], q = k[1], r = k[2], s = k[3];
    for (size_t j = from; j < width; j++)
        sum[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
}

void spikeseq_four_rows(int32_t *sum, const int8_t *const rows[4], size_t width, const int16_t k[4])
{
    size_t done = 0;
#ifdef WITH_AVX2
    if (HAS_AVX2())
        done = sixteen_at_a_time(sum, rows[0], rows[1], rows[2], rows[3], width, k);
#endif
    plain(sum, rows[0], rows[1], rows[2], rows[3], done, width, k);
}
