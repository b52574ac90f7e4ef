"""Points: the shop's money. One point is one won."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, bindparam, insert, select, update

from shop import refusals
from shop.database import Database, Query, Row, Session
from shop.schema import point_ledger, users

_USER_ID = bindparam("user_id", type_=Integer)

_ADD = Query(
    update(users)
    .where(users.c.id == _USER_ID)
    .values(points=users.c.points + bindparam("amount", type_=BigInteger))
    .returning(users.c.points)
)
_LEDGER = Query(
    insert(point_ledger).values(
        user_id=_USER_ID, delta=bindparam("amount"), points_after=bindparam("points_after"), reason="charge"
    )
)
_POINTS = Query(select(users.c.points).where(users.c.id == _USER_ID))
_ENTRIES = Query(
    select(
        point_ledger.c.id,
        point_ledger.c.delta,
        point_ledger.c.points_after,
        point_ledger.c.reason,
        point_ledger.c.order_id,
        point_ledger.c.at,
    )
    .where(point_ledger.c.user_id == _USER_ID, point_ledger.c.id < bindparam("before", type_=BigInteger))
    .order_by(point_ledger.c.id.desc())
    .limit(bindparam("most_rows", type_=Integer))
)


def charge_points(session: Session, user_id: int, amount: int) -> Row:
    """Add points; the balance after. Raises Refusal U404."""
    row = session.row(_ADD, user_id=user_id, amount=amount)
    if row is None:
        raise refusals.no_user(user_id)
    session.do(_LEDGER, user_id=user_id, amount=amount, points_after=row["points"])
    return {"user_id": user_id, "points": row["points"], "charged": amount}


def find_points(database: Database, user_id: int, before: int, size: int) -> Row:
    """Balance, and the ledger's entries under ``before``, newest first. Raises Refusal U404."""
    with database.reading() as session:
        row = session.row(_POINTS, user_id=user_id)
        if row is None:
            raise refusals.no_user(user_id)
        entries = session.rows(_ENTRIES, user_id=user_id, before=before, most_rows=size + 1)
    return {"user_id": user_id, "points": row["points"], "ledger": entries[:size], "more": len(entries) > size}
