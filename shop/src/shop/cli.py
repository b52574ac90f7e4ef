"""``python -m shop``: serve, migrate, seed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import psycopg
from psycopg_pool import PoolTimeout

from shop.settings import BadSettings, read_database_url, read_settings

_ENVIRONMENT = """environment:
  SHOP_DATABASE_URL        the database, such as postgresql://shop:PASSWORD@127.0.0.1:5432/shop (required)
  SHOP_USER_HASH_KEY_FILE  file with the key, in hexadecimal digits, by which users are hashed in the logs
                           (required by serve)
  SHOP_LOG_FILE            where the log goes, one JSON object a line (default: standard output)
  SHOP_LOG_LEVEL           trace, debug, info, warn or error (default: info)
  SHOP_POOL_SIZE           connections to the database (default: 10)
  SHOP_POOL_TIMEOUT        seconds a request waits for one of them (default: 3)
  SHOP_INSTRUMENT          0 measures nothing, to see what measuring costs (default: 1)
  SHOP_MACHINE             this machine's name in the logs (default: the host's name)
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit code: 0 done, 1 failed, 2 wrongly called or wrongly set up."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            from shop.serve import serve  # FastAPI takes a second to import; migrate and seed do without

            return serve(read_settings(os.environ), options.host, options.port, options.metrics_port)
        url = read_database_url(os.environ)
        return _migrate(url) if options.command == "migrate" else _seed(url, options)
    except BadSettings as error:
        for problem in error.problems:
            _say(problem)
        return 2
    except (PoolTimeout, psycopg.OperationalError) as error:
        _say(f"the database in SHOP_DATABASE_URL does not answer: {_first_line(error)}")
    except psycopg.Error as error:
        _say(f"the database refused: {_first_line(error)}")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shop",
        description="A small e-commerce service.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve|migrate|seed")
    serve = commands.add_parser("serve", help="answer requests until SIGTERM")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8000, help="port of the shop (default: 8000)")
    serve.add_argument("--metrics-port", type=_port, default=9100, help="port of the metrics alone (default: 9100)")
    commands.add_parser("migrate", help="create or update the tables")
    seed = commands.add_parser("seed", help="add products, users and first orders; what is there stays as it is")
    seed.add_argument("--products", type=_count, default=200)
    seed.add_argument("--users", type=_count, default=500)
    seed.add_argument("--stock", type=_count, default=1_000_000, help="of each product (default: 1000000)")
    seed.add_argument("--orders", type=_count, default=60, help="paid orders in an unused shop (default: 60)")
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isdigit() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 (any free one) to 65535")
    return number


def _count(text: str) -> int:
    number = int(text) if text.isdigit() else -1
    if not 0 <= number <= 2_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 2000000000")
    return number


def _migrate(url: str) -> int:
    from shop.migrate import migrate

    applied = migrate(url)
    print(f"applied: {', '.join(applied)}" if applied else "the tables are up to date")  # noqa: T201 -- a command
    return 0


def _seed(url: str, options: argparse.Namespace) -> int:
    from shop.database import Database, find_problem
    from shop.seed import seed

    problem = find_problem(url)
    if problem is not None:
        _say(problem)
        return 1
    database = Database(url, size=1, timeout=5)
    database.open()
    try:
        added = seed(
            database, products=options.products, users=options.users, stock=options.stock, orders=options.orders
        )
    finally:
        database.close()
    print("added: " + ", ".join(f"{count} {what}" for what, count in added.items()))  # noqa: T201 -- a command
    return 0


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _say(problem: str) -> None:
    sys.stderr.write(f"error: {problem}\n")
