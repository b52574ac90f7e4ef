"""A service's data in our care: verified, backed up, proven by restoring, compared, put right."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bongsu.adapters import postgres, postgres_copy
from bongsu.adapters.backup_folder import BackupFolder, checksum
from bongsu.adapters.postgres import Connection
from bongsu.adapters.postgres_copy import CopyFailed, Scratch
from bongsu.core.backups import Backup, expired
from bongsu.core.comparing import Change, Layout, Tally, compare
from bongsu.core.errors import InvalidInput
from bongsu.core.recovery import Invariant, Rule, Verdict, Verification
from bongsu.core.recovery_plan import Plan, Step, corrected, filled, put_back
from bongsu.ports import Clock

CLUSTER_BYTES = 100 << 20
"""What an empty scratch server takes."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs from a backup, by table. ``unkeyed``: tables without a primary key, which cannot be compared."""

    backup: Backup
    layouts: tuple[Layout, ...]
    changes: tuple[Change, ...]
    tallies: dict[str, Tally]
    unkeyed: tuple[str, ...]
    dated: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, what was damaged before it, and what its rehearsal on a copy left."""

    plan: Plan
    before: Verification
    after: Verification
    took: float


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a plan did. ``waited``: how long writers waited; ``recovery_time``: since the plan was begun."""

    steps: int
    after: Verification
    waited: float
    recovery_time: timedelta
    recovery_point: datetime


@dataclass(frozen=True, slots=True)
class ServiceData:
    """One ``[data.NAME]``. Every method raises InvalidInput with all faults, Unavailable or CopyFailed."""

    name: str
    dsn: str
    invariants: tuple[Invariant, ...]
    rules: tuple[Rule, ...]
    folder: BackupFolder
    clock: Clock
    keep: int = 14
    keep_for: timedelta = timedelta(days=14)
    seconds: float = 60.0
    scratch: Path | None = field(default=None)

    def verify(self) -> Verification:
        """Ask every invariant, at one moment of the data."""
        return self._verified(self.dsn)

    def _verified(self, dsn: str) -> Verification:
        began = time.monotonic()
        with postgres.connect(dsn, seconds=self.seconds) as connection, postgres.looking(connection):
            verdicts = postgres.ask(connection, self.invariants)
        return Verification(self.name, self.clock.now(), verdicts, time.monotonic() - began)

    def backups(self) -> list[Backup]:
        """The newest first."""
        return self.folder.list()

    def back_up(self) -> Backup:
        """A dump of one moment, with its manifest; then the old ones go that are due."""
        with self.folder.alone(), postgres.connect(self.dsn, seconds=86_400) as connection:
            self._can_dump(connection)
            backup = self._dump(connection)
            for old in expired(self.folder.list(), self.clock.now(), self.keep, self.keep_for):
                self.folder.remove(old)
        return backup

    def _can_dump(self, connection: Connection) -> None:
        problems = []
        size = _size(connection)
        if (free := shutil.disk_usage(self.folder.path).free) < size:
            problems.append(_no_room(self.folder.path, size, free))
        server = postgres.server_version(connection) // 10_000
        if (ours := postgres_copy.version_of("pg_dump")) < server:
            problems.append(_too_old("pg_dump", ours, server))
        rows = postgres.run(
            connection,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') "
            "AND NOT CASE relkind WHEN 'r' THEN has_table_privilege(oid, 'SELECT') "
            "ELSE has_sequence_privilege(oid, 'SELECT') END ORDER BY 1",
        )
        if unreadable := [name for (name,) in rows]:
            problems.append(
                f"no right to read {', '.join(unreadable)}; as the owner: GRANT SELECT ON ALL TABLES IN SCHEMA public "
                "TO the user of this connection (and ON ALL SEQUENCES)"
            )
        if problems:
            raise InvalidInput(problems)

    def _dump(self, connection: Connection) -> Backup:
        began = time.monotonic()
        postgres.run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot, taken_at, lsn = postgres.run(
            connection, "SELECT pg_export_snapshot(), clock_timestamp(), pg_current_wal_lsn()::text"
        ).fetchone()
        draft = self.folder.draft(taken_at)
        try:
            postgres_copy.dump(self.dsn, draft, snapshot)
            keyed, others = postgres.layouts(connection)
            rows = postgres.counts(connection, [*(each.table for each in keyed), *others])
            postgres.run(connection, "ROLLBACK")
            backup = Backup(
                file=draft.name.removesuffix(".part"), database=self.name, taken_at=taken_at,
                took=round(time.monotonic() - began, 3), size=draft.stat().st_size, sha256=checksum(draft),
                server=postgres.server_version(connection), lsn=lsn, rows=rows, database_size=_size(connection),
            )  # fmt: skip
            self.folder.keep(draft, backup)
        except OSError as error:
            raise CopyFailed(f"no backup was made: {error.strerror} at {error.filename}") from None
        finally:
            draft.unlink(missing_ok=True)
        return backup

    def usable(self, backup: Backup, copies: int = 1) -> None:
        """Everything that could go wrong with restoring here, before anything is begun. Raises InvalidInput."""
        problems = postgres_copy.missing_programs()
        if fault := self.folder.fault(backup):
            problems.append(fault)
        elif not problems and (fault := postgres_copy.whole(self.folder.path / backup.file)):
            problems.append(f"{backup.file} cannot be read to its end: {fault}; take another backup")
        if not problems and (ours := postgres_copy.version_of("postgres")) < backup.server // 10_000:
            problems.append(_too_old("postgres", ours, backup.server // 10_000))
        place = self.scratch or Path(tempfile.gettempdir())
        needed = int(CLUSTER_BYTES + 1.2 * copies * backup.database_size)
        try:
            free = shutil.disk_usage(place).free
        except OSError as error:
            problems.append(f"the scratch folder {place} cannot be used ({error.strerror}); name another in [data]")
        else:
            if free < needed:
                problems.append(_no_room(place, needed, free))
        if problems:
            raise InvalidInput(problems)

    def prove(self, backup: Backup) -> Backup:
        """Restore a backup in a scratch server, count its rows and ask the invariants there; noted in its manifest."""
        self.usable(backup)
        with self.folder.alone():
            began = time.monotonic()
            with self._restored(backup) as (_, dsn):
                restored_in = round(time.monotonic() - began, 3)
                fault, verified = self._judged(backup, dsn)
            proven = replace(
                backup, verified_at=None if fault else self.clock.now(), restored_in=restored_in, fault=fault,
                holding=(verified.holding, len(verified.verdicts)),
            )  # fmt: skip
            self.folder.note(proven)
        return proven

    def _judged(self, backup: Backup, dsn: str) -> tuple[str | None, Verification]:
        with postgres.connect(dsn) as connection:
            rows = postgres.counts(connection, list(backup.rows))
        short = [f"{name} {rows[name]} of {count}" for name, count in backup.rows.items() if rows[name] != count]
        verified = self._verified(dsn)
        broken = [each.name for each in verified.verdicts if not each.holds]
        said = [f"rows differ: {', '.join(short)}"] * bool(short) + [f"does not hold: {', '.join(broken)}"] * bool(
            broken
        )
        return "; ".join(said) or None, verified

    @contextmanager
    def _restored(self, backup: Backup) -> Iterator[tuple[Scratch, str]]:
        with postgres_copy.scratch(self.scratch) as server:
            dsn = server.database("backup")
            postgres_copy.restore(self.folder.path / backup.file, dsn)
            yield server, dsn

    def restore_beside(self, backup: Backup, name: str) -> tuple[Verification, float]:
        """A backup as another database of the same server; what holds there, and how long it took."""
        self.usable(backup)
        with postgres.connect(self.dsn, seconds=86_400) as connection:
            if (there := postgres.server_version(connection)) // 10_000 < backup.server // 10_000:
                raise InvalidInput(
                    [f"the backup is of PostgreSQL {backup.version}, the server here is {there // 10_000}"]
                )
            began = time.monotonic()
            postgres_copy.create(connection, name)
        beside = _elsewhere(self.dsn, name)
        postgres_copy.restore(self.folder.path / backup.file, beside)
        return self._verified(beside), time.monotonic() - began

    def compare(self, backup: Backup) -> Comparison:
        """Row by row: a backup, restored in a scratch server, and the data as it is."""
        self.usable(backup)
        with (
            self._restored(backup) as (_, dsn),
            postgres.connect(dsn, seconds=86_400) as old,
            postgres.connect(self.dsn, seconds=86_400) as new,
        ):
            return self._compared(backup, old, new)

    def _compared(self, backup: Backup, old: Connection, new: Connection) -> Comparison:
        rules = {each.table: each for each in self.rules}
        with postgres.looking(old), postgres.looking(new):
            was, unkeyed = postgres.layouts(old)
            present = {each.table: each for each in postgres.layouts(new)[0]}
            dated = postgres.stamps_commits(new)
            self._same_shape(was, present)
            changes: list[Change] = []
            tallies = {each.table: Tally() for each in was}
            for layout in was:
                sides = postgres.lines(old, layout), postgres.lines(new, layout, written=dated)
                changes += compare(layout, rules.get(layout.table, Rule(layout.table)), *sides, tallies[layout.table])
        return Comparison(backup, tuple(was), tuple(changes), tallies, tuple(unkeyed), dated)

    def _same_shape(self, was: Sequence[Layout], present: dict[str, Layout]) -> None:
        problems = [
            f"table {each.table} is gone since the backup; restore the backup beside it, and copy the table over"
            if each.table not in present
            else f"table {each.table} has other columns than in the backup; take a newer backup"
            for each in was
            if present.get(each.table) != each
        ]
        tables = {each.table: each.columns for each in was}
        for rule in self.rules:
            if rule.table not in tables:
                problems.append(f"tables.toml: there is no table {rule.table}")
            else:
                unknown = [each for each in (*rule.fixed, *rule.once) if each not in tables[rule.table]]
                problems += [f"tables.toml: {rule.table} has no column {each}" for each in unknown]
        if problems:
            raise InvalidInput(problems)

    def plan(self, backup: Backup) -> Planned:
        """Find out on a copy what puts the data right, and prove it there; the data itself is only read."""
        begun, started = self.clock.now(), time.monotonic()
        self.usable(backup, copies=2)
        with self._restored(backup) as (server, old_dsn), tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            copy, now_dsn = Path(folder) / "now.dump", server.database("now")
            postgres_copy.dump(self.dsn, copy)
            postgres_copy.restore(copy, now_dsn)
            before = self._verified(now_dsn)
            if before.faults:
                raise InvalidInput(before.faults)
            with postgres.connect(old_dsn) as old, postgres.connect(now_dsn, seconds=86_400) as now:
                compared = self._compared(backup, old, now)
                quiet = tuple(self._quiet(compared))
                with now.transaction(), postgres.triggers_off(now, quiet):
                    steps = self._from_backup(now, compared)
                    steps += self._from_histories(now)
            after = self._verified(now_dsn)
        locks = tuple(dict.fromkeys([*(each.table for each in self.rules), *quiet])) if steps else ()
        leaves = {each.name: len(each.rows) for each in after.verdicts if each.rows}
        plan = Plan(self.name, backup.file, backup.taken_at, begun, locks, quiet, tuple(steps), leaves)
        return Planned(plan, before, after, time.monotonic() - started)

    def _quiet(self, compared: Comparison) -> list[str]:
        grows = {each.table for each in self.rules if each.rows == "grows"}
        return sorted(
            {each.table for each in compared.changes if each.table in grows and not each.lost and each.damaged}
        )

    def _from_backup(self, now: Connection, compared: Comparison) -> list[Step]:
        """What is lost comes back, what never changes is put right; parents first."""
        by_table = {each.table: each for each in compared.layouts}
        damaged = [each for each in compared.changes if each.damaged]
        steps = [put_back(by_table[each.table], each) for each in damaged if each.lost]
        steps += [corrected(by_table[each.table], each) for each in damaged if not each.lost]
        return [each for each in steps if postgres.attempt(now, each.sql) == 1]

    def _from_histories(self, now: Connection) -> list[Step]:
        """Each invariant in turn, on what the ones before have put right."""
        steps = []
        for invariant in self.invariants:
            if invariant.repair is None:
                continue
            (verdict,) = postgres.ask(now, [invariant])
            for key, row in zip(verdict.keys(), verdict.rows, strict=True):
                sql = filled(invariant.repair, verdict.columns, row)
                if postgres.attempt(now, sql) == 1:
                    steps.append(Step(f"{invariant.name}, {key}", sql))
        return steps

    def apply(self, plan: Plan) -> Applied:
        """Carry out a plan: everything in one transaction, or nothing. Raises PlanRefused."""
        if plan.database != self.name:
            raise InvalidInput(
                [f"this plan is for {plan.database!r}, not for {self.name!r}; name the other with --data"]
            )
        if not plan.steps:
            raise InvalidInput(["this plan has no step; there is nothing to do"])

        def check(connection: Connection) -> Sequence[Verdict]:
            verdicts = postgres.ask(connection, self.invariants)
            broken = [
                each.fault
                or f"{each.name}: {len(each.rows)} damaged rows after the plan ({'; '.join(each.keys()[:3])})"
                for each in verdicts
                if each.fault or len(each.rows) > plan.leaves.get(each.name, 0)
            ]
            if broken:
                raise postgres.PlanRefused("\n".join([*broken, "Nothing was done. Make the plan anew."]))
            return verdicts

        verdicts, waited = postgres.carry_out(self.dsn, plan, check, seconds=max(self.seconds, 60.0))
        now = self.clock.now()
        after = Verification(self.name, now, verdicts)
        return Applied(len(plan.steps), after, waited, now - plan.begun, plan.recovery_point)


def _size(connection: Connection) -> int:
    return int(postgres.run(connection, "SELECT pg_database_size(current_database())").fetchone()[0])


def _no_room(place: Path, needed: int, free: int) -> str:
    return (
        f"not enough room in {place}: {needed >> 20} MiB needed, {free >> 20} free; make room, or name another folder"
    )


def _too_old(program: str, ours: int, server: int) -> str:
    return (
        f"{program} here is of version {ours}, the server of {server}; "
        f"apt-get install --no-install-recommends postgresql-{server}"
    )


def _elsewhere(dsn: str, database: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(dsn, dbname=database)
