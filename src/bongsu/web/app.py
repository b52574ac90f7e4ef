"""The ASGI application: which routes there are, and what they share."""

from __future__ import annotations

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from bongsu import __version__
from bongsu.core.errors import BongsuError
from bongsu.engine.context import Context
from bongsu.web.admin import admin_router
from bongsu.web.aftermath import aftermath_router
from bongsu.web.alertmanager import MANY_ALERTS, alertmanager_router
from bongsu.web.api import api_router
from bongsu.web.burst import board_router, burst_router
from bongsu.web.console import console_router
from bongsu.web.data import data_api, data_router
from bongsu.web.deliveries import deliveries_pages, deliveries_router
from bongsu.web.door import Door
from bongsu.web.hooks import hooks_router
from bongsu.web.impacts import impacts_router
from bongsu.web.letters import letters_router
from bongsu.web.login import login_router
from bongsu.web.muting import muting_router
from bongsu.web.oncall import people_router
from bongsu.web.pages import page_settings
from bongsu.web.passing import passing_router
from bongsu.web.people_api import people_api_router
from bongsu.web.problems import answer, refuse, unexpected
from bongsu.web.review import review_router
from bongsu.web.rights import guard
from bongsu.web.settings import settings_router
from bongsu.web.silences import silences_router
from bongsu.web.watching import watching_router
from bongsu.web.written import written_router

LARGEST_BODY = 1024 * 1024
"""Of everything but alerts, which come many at a time."""


def _schema() -> Router:
    return Router("/api/schema", route_handlers=[], opt={"right": "viewer"})


class _App(Litestar):
    """Litestar without its plugins for libraries that are not used here: one would load pydantic, which is 10 MiB."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app(context: Context) -> Door:
    """The application over a context."""
    app = _App(
        route_handlers=[
            alertmanager_router,
            hooks_router,
            api_router,
            burst_router,
            board_router,
            watching_router,
            muting_router,
            people_api_router,
            deliveries_router,
            aftermath_router,
            console_router,
            impacts_router,
            data_router,
            data_api,
            letters_router,
            passing_router,
            people_router,
            deliveries_pages,
            written_router,
            review_router,
            silences_router,
            login_router,
            settings_router,
            admin_router,
        ],
        guards=[guard],
        state=State({"context": context}),
        exception_handlers={BongsuError: answer, HTTPException: refuse, Exception: unexpected},
        openapi_config=OpenAPIConfig(title="Bongsu", version=__version__, openapi_router=_schema()),
        logging_config=None,
        request_max_body_size=LARGEST_BODY,
        **page_settings(),
    )
    return Door(app, context, MANY_ALERTS)
