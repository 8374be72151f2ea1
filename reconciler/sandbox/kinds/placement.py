"""Where a pod may run: affinities, tolerations, how pods spread."""

from typing import Any, Final

from reconciler.kube.affinity import PREFERRED, REQUIRED
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def validate_placement(spec: Value, field: str, causes: Causes) -> None:
    affinity = spec.get("affinity") or {}
    _nodes(affinity.get("nodeAffinity") or {}, f"{field}.affinity.nodeAffinity", causes)
    for group in ("podAffinity", "podAntiAffinity"):
        _pods(affinity.get(group) or {}, f"{field}.affinity.{group}", causes)
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        _toleration(toleration, f"{field}.tolerations[{index}]", causes)
    constraints = spec.get("topologySpreadConstraints") or []
    for index, constraint in enumerate(constraints):
        path = f"{field}.topologySpreadConstraints[{index}]"
        _spread(constraint, path, causes)
        same = ("topologyKey", "whenUnsatisfiable")
        if any(all(other.get(n) == constraint.get(n) for n in same) for other in constraints[index + 1 :]):
            causes.duplicate(path + ".{topologyKey, whenUnsatisfiable}", [constraint.get(name) for name in same])


def _nodes(rules: Value, field: str, causes: Causes) -> None:
    if (required := rules.get(REQUIRED)) is not None:
        terms = required.get("nodeSelectorTerms")
        if not terms:
            causes.required(f"{field}.{REQUIRED}.nodeSelectorTerms", "must have at least one node selector term")
        for index, term in enumerate(terms or ()):
            _term(term, f"{field}.{REQUIRED}.nodeSelectorTerms[{index}]", causes, strict=True)
    for index, weighted in enumerate(rules.get(PREFERRED) or ()):
        path = f"{field}.{PREFERRED}[{index}]"
        _weight(weighted, path, causes)
        _term(weighted.get("preference") or {}, f"{path}.preference", causes, strict=False)


def _weight(weighted: Value, field: str, causes: Causes) -> None:
    if not 1 <= weighted.get("weight", 0) <= 100:
        causes.invalid(f"{field}.weight", weighted.get("weight", 0), "must be in the range 1-100")


def _term(term: Value, field: str, causes: Causes, *, strict: bool) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        path, values = f"{field}.matchExpressions[{index}]", expression.get("values") or ()
        _operator(expression, path, causes)
        key = expression.get("key", "")
        causes.words(f"{path}.key", key, naming.qualified_name(key))
        for position, value in enumerate(values if strict else ()):
            causes.words(f"{path}.values[{position}]", value, naming.label_value(value))
    for index, expression in enumerate(term.get("matchFields") or ()):
        path, values = f"{field}.matchFields[{index}]", expression.get("values") or ()
        if expression.get("operator") not in ("In", "NotIn"):
            causes.invalid(f"{path}.operator", expression.get("operator", ""), "not a valid selector operator")
        elif len(values) != 1:
            causes.required(f"{path}.values", "must be only one value for node field selector")
        if expression.get("key") != "metadata.name":
            causes.invalid(f"{path}.key", expression.get("key", ""), "not a valid field selector key")
            continue
        for position, value in enumerate(values):
            causes.words(f"{path}.values[{position}]", value, naming.dns_subdomain(value))


def _operator(expression: Value, field: str, causes: Causes) -> None:
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            causes.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            causes.forbidden(f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            causes.required(f"{field}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        causes.invalid(f"{field}.operator", operator, "not a valid selector operator")


def _pods(rules: Value, field: str, causes: Causes) -> None:
    for index, term in enumerate(rules.get(REQUIRED) or ()):
        _pod_term(term, f"{field}.{REQUIRED}[{index}]", causes)
    for index, weighted in enumerate(rules.get(PREFERRED) or ()):
        path = f"{field}.{PREFERRED}[{index}]"
        _weight(weighted, path, causes)
        _pod_term(weighted.get("podAffinityTerm") or {}, f"{path}.podAffinityTerm", causes)


def _pod_term(term: Value, field: str, causes: Causes) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        metadata.selector(term.get(name) or {}, f"{field}.{name}", causes)
    for namespace in term.get("namespaces") or ():
        causes.words(f"{field}.namespace", namespace, naming.dns_label(namespace))
    _label_keys(term, field, causes)
    key = term.get("topologyKey", "")
    if not key:
        causes.required(f"{field}.topologyKey", "can not be empty")
    causes.words(f"{field}.topologyKey", key, naming.qualified_name(key))


def _label_keys(term: Value, field: str, causes: Causes) -> None:
    """Keys whose values are those of the pod itself."""
    selector, matched = term.get("labelSelector"), term.get("matchLabelKeys") or []
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(name) or ()
        if keys and selector is None:
            causes.forbidden(f"{field}.{name}", "must not be specified when labelSelector is not set")
            continue
        for index, key in enumerate(keys):
            causes.words(f"{field}.{name}[{index}]", key, naming.qualified_name(key))
    seen = set((selector or {}).get("matchLabels") or ())
    for expression in (selector or {}).get("matchExpressions") or ():
        key = expression.get("key", "")
        if key in matched and key in seen:
            position = len(matched) - 1 - matched[::-1].index(key)
            causes.invalid(f"{field}[{position}]", key, "exists in both matchLabelKeys and labelSelector")
        seen.add(key)
    for index, key in enumerate(matched):
        if key in (term.get("mismatchLabelKeys") or ()):
            why = "exists in both matchLabelKeys and mismatchLabelKeys"
            causes.invalid(f"{field}.matchLabelKeys[{index}]", key, why)


def _toleration(toleration: Value, field: str, causes: Causes) -> None:
    key, operator, value = (toleration.get(name, "") for name in ("key", "operator", "value"))
    if key:
        causes.words(f"{field}.key", key, naming.qualified_name(key))
    elif operator != "Exists":
        causes.invalid(
            f"{field}.operator",
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        )
    if operator in ("", "Equal"):
        if naming.label_value(value):
            causes.invalid(f"{field}.operator", value, "; ".join(naming.label_value(value)))
    elif operator == "Exists":
        if value:
            causes.invalid(f"{field}.operator", operator, "value must be empty when `operator` is 'Exists'")
    elif operator in ("Lt", "Gt"):
        if not value.removeprefix("-").isdigit() or not -(2**63) <= int(value) < 2**63:
            causes.invalid(f"{field}.value", value, "must be a decimal integer of 64 bits")
    else:
        causes.unsupported(f"{field}.operator", operator, ("Equal", "Exists"))
    effect = toleration.get("effect", "")
    checks.supported(causes, f"{field}.effect", effect, ("", *_EFFECTS))
    if "tolerationSeconds" in toleration and effect != "NoExecute":
        causes.invalid(f"{field}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")


def _spread(constraint: Value, field: str, causes: Causes) -> None:
    action = constraint.get("whenUnsatisfiable")
    for name, number in (("maxSkew", constraint.get("maxSkew", 0)), ("minDomains", constraint.get("minDomains", 1))):
        if number <= 0:
            causes.invalid(f"{field}.{name}", number, "must be greater than 0")
    if not constraint.get("topologyKey"):
        causes.required(f"{field}.topologyKey", "can not be empty")
    checks.supported(causes, f"{field}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
    if "minDomains" in constraint and action != "DoNotSchedule":
        why = "can only use minDomains if whenUnsatisfiable=DoNotSchedule"
        causes.invalid(f"{field}.minDomains", constraint["minDomains"], why)
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if name in constraint:
            checks.supported(causes, f"{field}.{name}", constraint[name], ("Honor", "Ignore"))
    _label_keys({**constraint, "mismatchLabelKeys": ()}, field, causes)
    metadata.selector(constraint.get("labelSelector") or {}, f"{field}.labelSelector", causes)
