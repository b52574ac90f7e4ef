"""Log events: enabled by the effective level, each once."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from bongsu_instrument import TRACE, Instrument


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    made = Instrument()
    counting = made.count_logs()
    yield made
    counting.stop()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("counted")
    made.propagate = False
    made.addHandler(logging.NullHandler())
    yield made
    made.handlers.clear()
    made.setLevel(logging.NOTSET)


def counts(instrument: Instrument) -> dict[str, float]:
    levels = ("error", "warn", "info", "debug", "trace")
    return {
        each: instrument.registry.get_sample_value("logback_events_total", {"level": each}) or 0.0 for each in levels
    }


def test_all_five_levels_are_there_from_the_start(instrument: Instrument) -> None:
    text = instrument.exposition().decode()
    for level in ("error", "warn", "info", "debug", "trace"):
        assert f'logback_events_total{{level="{level}"}} 0.0' in text


def test_what_the_effective_level_lets_through_is_counted(instrument: Instrument, logger: logging.Logger) -> None:
    logger.setLevel(logging.WARNING)
    logger.info("not enabled")
    logger.warning("counted")
    child = logger.getChild("quiet")  # inherits the level
    child.info("not enabled")
    logger.setLevel(TRACE)
    logger.log(TRACE, "counted")
    logger.debug("counted")
    logger.log(25, "between info and warning: info")
    logger.critical("an error")
    logger.exception("an error")
    assert counts(instrument) == {"error": 2, "warn": 1, "info": 1, "debug": 1, "trace": 1}
    assert logging.getLevelName(TRACE) == "TRACE"


def test_handlers_do_not_matter(instrument: Instrument, logger: logging.Logger) -> None:
    picky = logging.NullHandler()
    picky.setLevel(logging.CRITICAL)
    logger.handlers[:] = [picky, logging.NullHandler(), logging.NullHandler()]
    logger.error("once")
    assert counts(instrument)["error"] == 1


def test_counting_twice_counts_once(instrument: Instrument, logger: logging.Logger) -> None:
    instrument.count_logs()
    logger.error("once")
    assert counts(instrument)["error"] == 1


def test_records_that_came_from_elsewhere_are_not_events_here(instrument: Instrument) -> None:
    logging.makeLogRecord({"name": "far", "levelno": logging.ERROR, "msg": "away"})
    assert sum(counts(instrument).values()) == 0


def test_structlog_on_stdlib_logging_is_counted_by_its_records(instrument: Instrument, logger: logging.Logger) -> None:
    logger.setLevel(logging.INFO)
    log = structlog.wrap_logger(
        logger,
        # Ours does no harm here: what becomes a record is counted by the record.
        processors=[
            instrument.count_logs().structlog,
            structlog.stdlib.filter_by_level,
            structlog.dev.ConsoleRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    log.debug("not enabled")
    log.info("counted", user="anybody")
    log.error("counted")
    log.critical("counted")
    assert counts(instrument) == {"error": 2, "warn": 0, "info": 1, "debug": 0, "trace": 0}


def test_structlog_that_prints_by_itself_is_counted_by_a_processor(instrument: Instrument) -> None:
    printed = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(printed),
        processors=[instrument.count_logs().structlog, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    log.debug("not enabled")
    log.info("counted")
    log.warning("counted")
    log.log(logging.WARNING, "counted")
    log.critical("an error")
    try:
        raise ValueError
    except ValueError:
        log.exception("an error")
    assert counts(instrument) == {"error": 2, "warn": 2, "info": 1, "debug": 0, "trace": 0}
    assert len(printed.getvalue().splitlines()) == 5


def test_records_of_others_that_structlog_formats_are_counted_once(
    instrument: Instrument, logger: logging.Logger
) -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[instrument.count_logs().structlog], processor=structlog.dev.ConsoleRenderer()
        )
    )
    logger.handlers[:] = [handler]
    logger.error("from a library")
    assert counts(instrument)["error"] == 1


def test_stopping_leaves_the_factory_as_it_was(logger: logging.Logger) -> None:
    before = logging.getLogRecordFactory()
    instrument = Instrument()
    counting = instrument.count_logs()
    counting.stop()
    assert logging.getLogRecordFactory() is before
    logger.error("not counted")
    counting.structlog(None, "error", {"event": "not counted"})
    assert counts(instrument)["error"] == 0
