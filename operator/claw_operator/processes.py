"""What a runtime's answer is worth: is it from the process that was deployed last, and does it still hold? Pure.

A platform says late that a deployment is running, and goes on sending requests to the old process until then. The
runtime repeats the fingerprint of its deployment, so nobody has to wait for the platform's word, and nobody takes the
old process for the new one. A compute that may sleep when nobody talks to it is not kept awake by our own questions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from claw_crds.configuration import RuntimeReport
from claw_operator.decide import Unknown
from claw_operator.external import ComputeState, ObservedCompute, Transient

ANSWERING = (ComputeState.RUNNING, ComputeState.DEPLOYING)
"""In these states it is worth asking the runtime."""

BETWEEN_NAPS = timedelta(minutes=15)
"""A compute that may sleep is asked no more often: platforms let it sleep after ten minutes without traffic."""

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


@dataclass(frozen=True)
class Answer:
    """What a runtime said last, and when."""

    report: RuntimeReport
    at: datetime

    def still_holds(self, compute: ObservedCompute, now: datetime) -> bool:
        """Whether it is good enough not to wake the compute, or to keep it awake, for another one."""
        well = self.report.ready and not self.report.database_refuses
        same = compute.state == ComputeState.RUNNING and as_deployed(self.report, compute) is self.report
        if compute.asleep is None or not (well and same):
            return False
        return compute.asleep or now - self.at < BETWEEN_NAPS
