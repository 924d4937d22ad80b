"""Which process is it that answers: the one that was deployed last, or still the one before it? Pure.

A platform says late that a deployment is running, and goes on sending requests to the old process until then. The
runtime repeats the fingerprint of its deployment, so nobody has to wait for the platform's word, and nobody takes the
old process for the new one.
"""

from claw_crds.configuration import RuntimeReport
from claw_operator.decide import Unknown
from claw_operator.external import ComputeState, ObservedCompute, Transient

ANSWERING = (ComputeState.RUNNING, ComputeState.DEPLOYING)
"""In these states it is worth asking the runtime."""

STARTING = Unknown(Transient("The new runtime is starting."))


def as_deployed(report: RuntimeReport, compute: ObservedCompute) -> RuntimeReport | Unknown:
    """The report, if it comes from the process that was deployed last."""
    if report.fingerprint is not None and compute.fingerprint is not None:
        return report if report.fingerprint == compute.fingerprint else STARTING
    # A runtime that does not tell, or settings that were changed since: the platform's word is all there is.
    return report if compute.state == ComputeState.RUNNING else STARTING


def is_up(compute: ObservedCompute, runtime: RuntimeReport | Unknown) -> bool:
    """Whether the new process serves already, although the platform still calls it a deployment."""
    return compute.state == ComputeState.DEPLOYING and isinstance(runtime, RuntimeReport)
