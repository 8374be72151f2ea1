"""What to do about refusals that are not about the object that was sent, told by what the API server says of them."""

from typing import Final

from reconciler.http.transport import Response

UNDECLARED: Final = b"failed to create typed patch object"
_NO_ANSWER: Final = "failed calling webhook"
_FULL: Final = "database space exceeded"

_HINTS: Final = {
    _NO_ANSWER: (
        "the admission webhook does not answer: is what serves it running? Its configuration is in "
        "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`"
    ),
    "admission webhook": (
        "an admission webhook of the cluster refused it: change the object as it says, or ask who runs the webhook"
    ),
    _FULL: (
        "etcd is full: compact and defragment it, or raise its quota, then disarm its alarm; until then the cluster "
        "can be read but not written"
    ),
    "because it is being terminated": (
        "wait until the namespace is gone, it is made anew then; where that does not end, "
        "`kubectl get namespace NAME -o yaml` says in its status which finalizers are left"
    ),
}
_UNAUTHORIZED: Final = (
    "the credentials are not valid (any more): has the certificate or the token expired? Renew them in the kubeconfig"
)

_FORBIDDEN: Final = "RBAC forbids it: a Role or ClusterRole that is bound to the user must allow this verb and resource"

_LASTING: Final = (UNDECLARED, _NO_ANSWER.encode(), _FULL.encode())


def advice(status: int, message: str) -> str:
    """What to do about a refusal; "" where its message says it all."""
    if status == 401:
        return _UNAUTHORIZED
    hint = next((hint for text, hint in _HINTS.items() if text in message), "")
    return hint or (_FORBIDDEN if status == 403 and " cannot " in message else "")


def lasting(response: Response) -> bool:
    """Whether a 5xx will not get better within seconds, so that others need not wait while it is sent again.

    The next pass sends it again. An API server answers 500 to an apply with a field that its schema does not know
    (kubernetes/kubernetes#139253), where a webhook does not answer, and where etcd is full.
    """
    return response.status == 500 and any(text in response.body for text in _LASTING)
