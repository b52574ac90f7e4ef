"""``/products``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from shop.catalogue import TOP_MOST, Wanted, find_product, find_products
from shop.forms import HIGHEST_ID, ProductPage, ProductView, TopPage
from shop.routes.answers import Id, Json
from shop.shop import Shop

Sort = Literal["id", "name", "price", "-price"]


def product_routes(shop: Shop) -> APIRouter:
    """List, one, top sellers."""
    routes = APIRouter(tags=["products"])
    database, top_sellers = shop.database, shop.top_sellers

    @routes.get("/products", response_model=ProductPage)
    def products(
        q: Annotated[str | None, Query(max_length=100, description="part of the name")] = None,
        category: Annotated[str | None, Query(max_length=100)] = None,
        min_price: Annotated[int | None, Query(ge=0, le=HIGHEST_ID)] = None,
        max_price: Annotated[int | None, Query(ge=0, le=HIGHEST_ID)] = None,
        in_stock: bool = False,
        sort: Sort = "id",
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        size: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:
        wanted = Wanted(q, category, min_price, max_price, in_stock, sort, page, size)
        items, more = find_products(database, wanted)
        return Json({"items": items, "page": page, "size": size, "more": more})

    @routes.get("/products/top", response_model=TopPage)
    def top(limit: Annotated[int, Query(ge=1, le=TOP_MOST)] = 5) -> Response:
        found = top_sellers.read()
        return Json({"items": found.rows[:limit], "age_seconds": round(max(0.0, top_sellers.age()), 3)})

    @routes.get("/products/{id}", response_model=ProductView)
    def product(product_id: Id) -> Response:
        return Json(find_product(database, product_id))

    return routes
