"""Nodes, pods and needs to Plan. Pure.

plan      the recipe · identity: what passes use until a spec leaves something to plan
intake    what is asked, in order · admission: labels and taints · grouping: classes and shapes
topology  rules among replicas · keeping: what stays · ledger: the book of it all
states    states of nodes, evaluated once · scoring: the terms · placing: workloads as a whole
packing   one replica after another, and what is scarce
pool_lp   the linear program over classes · worth: value and bound
search    ruin and recreate · rescue: for whom it is called · reasons: why not
"""
