"""What a Python web service imports to be watched under the metric names that Micrometer uses.

from bongsu_instrument import Instrument

instrument = Instrument()
instrument.watch(app)  # FastAPI, Starlette, Flask; for Django see docs/watch-a-python-service.md
instrument.serve(port=9100)  # http://127.0.0.1:9100/actuator/prometheus
"""

from bongsu_instrument.asgi import route_template
from bongsu_instrument.endpoint import Endpoint
from bongsu_instrument.instrument import Instrument
from bongsu_instrument.logs import TRACE, LogCount
from bongsu_instrument.pool import PoolWatch
from bongsu_instrument.requests import note_error

__all__ = ["TRACE", "Endpoint", "Instrument", "LogCount", "PoolWatch", "note_error", "route_template"]
