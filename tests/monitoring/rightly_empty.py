"""Which queries have nothing to show for a service, and why. A listed one that shows something fails as well."""

from __future__ import annotations

from tests.monitoring.environment import PYTHON, SPRING

_OLD = ("spring-2-1", "spring-2-7")
_NO_HISTOGRAM = tuple(each for each in SPRING if not each.endswith("histogram"))
_NO_TOMCAT = (PYTHON, "spring-2-7", "spring-3-0", "spring-3-3")

RIGHTLY_EMPTY: dict[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "service-in-trouble": (
        (
            "Spring exports no histogram unless it is told to",
            _NO_HISTOGRAM,
            (
                "p95 (histogram)/A",
                "Durations out of the histogram, failures included/A",
                "Durations out of the histogram, failures included/B",
                "Durations out of the histogram, failures included/C",
                "Routes/E",
            ),
        ),
        (
            "the payloads' shop counts no orders: those metrics are our shop's own",
            SPRING,
            (
                "Orders per minute/A",
                "Payments that did not work, per minute/A",
                "Value sold per minute/A",
                "Refused for lack of stock, per minute/A",
                "Points charged and repeated requests, per minute/A",
                "Points charged and repeated requests, per minute/B",
                "Age of the list of top sellers/A",
            ),
        ),
        ("nobody tells whether these machines are held back", SPRING, ("Held back: throttled and stolen/A",)),
        ("exported since Boot 3.0", _OLD, ("Requests in flight/A",)),
        ("exported since Boot 2.6", ("spring-2-1",), ("Instances/C",)),
        (
            "no Tomcat, or its MBean registry is off",
            _NO_TOMCAT,
            ("Tomcat's threads/A", "Tomcat's threads/B"),
        ),
        (
            "a Python process has no JVM",
            (PYTHON,),
            ("JVM: heap in use/A", "JVM: share of time in pauses/A", "JVM: threads by state/A"),
        ),
        (
            "a JVM is no Python process",
            SPRING,
            ("Python: memory of the process/A", "Python: garbage collections per second/A", "Python: threads/A"),
        ),
    ),
    "burst-credits": (
        (
            "the payloads' machines stay below their baseline: they spend nothing and are in no breach",
            SPRING,
            ("At the present pace they last/A", "How long the credits last/B", "The breach clock/B"),
        ),
        ("nobody tells whether these machines are held back", SPRING, ("Held back/A",)),
    ),
    "bongsu-itself": (),
}
"""By dashboard: reason, jobs, queries."""


def empty_for(file: str, job: str) -> set[str]:
    """The queries of a dashboard that must be empty for a job."""
    return {name for _, jobs, names in RIGHTLY_EMPTY[file] if job in jobs for name in names}
