/* Addresses of spikes: which units sent, with which sign, and which of them sent more than one. */
#include "internal.h"

spikeseq_spikes spikeseq_spikes_of(const int8_t *k, size_t inputs, uint32_t *list)
{
    spikeseq_spikes s = {k, list, list + inputs, NULL, 0, 0, 0};
    for (size_t j = 0; j < inputs; j++) { /* branch-free: the next hit overwrites a miss */
        list[s.num_active] = (uint32_t)j;
        s.num_active += k[j] != 0;
    }
    return s;
}

int spikeseq_spikes_at(spikeseq_spikes *s, int level)
{
    const size_t active = s->num_active;
    uint32_t *minus = s->plus + active; /* plus grows from the front, minus from behind: together they are `active` */
    size_t more = 0, plus = 0;
    for (size_t e = 0; e < active; e++) {
        const uint32_t j = s->active[e];
        const int k = s->k[j], down = k <= -level;
        s->plus[plus] = j;
        plus += k >= level;
        minus[-1] = down ? j : minus[-1]; /* perhaps what was just written */
        minus -= down;
        s->active[more] = j;
        more += k > level || k < -level;
    }
    s->minus = minus;
    s->num_plus = plus;
    s->num_minus = active - plus;
    s->num_active = more;
    return active != 0;
}
