"""Nodes, pods and needs to Plan. Pure.

plan      the recipe · outcome: what came of it, in names · book: what one plan hands to the next
intake    what is asked, in order · admission: labels and taints · grouping: classes and shapes
topology  rules among replicas · watches: what they count · keeping: what stays
ledger    what is kept in step: nodes, limits, quotas, and holdings, who is where · quotas: of the namespaces
states    states of nodes, evaluated once · scoring: the terms · placing: workloads as a whole
packing   one replica after another, and what is scarce
pool_lp   the linear program over classes · worth: value and bound
search    ruin and recreate · rescue: for whom it is called · reasons: why not
report    a plan as it is shown · words: for people, and in JSON · loads: how full nodes are
drawing   boxes and words of these · curves: demand and forecast · chart: lines of them · raster: as PNG
"""
