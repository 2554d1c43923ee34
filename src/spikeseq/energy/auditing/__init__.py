"""How :mod:`spikeseq.energy.audit` watches a model: operations (trace), what reaches what (reach), the rules (ops, table)."""
