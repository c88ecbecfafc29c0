"""AWX's pages: 25 records unless ``page_size`` requests up to 200, ``page`` a number or ``last``."""

from typing import Any

from django.core.paginator import Page, Paginator
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from awx_compat import dialects


class StablePaginator(Paginator):
    """The pages of a list from ``instances.listing``.

    Where there is more than one page, records that the order leaves equal come by id. Otherwise a record could be on
    two pages and another on none. A single page keeps the database's order, as AWX's.
    """

    object_list: Any  # a Listing

    def page(self, number: int | str) -> Page:
        if number in (1, "1") and self.object_list.is_totally_ordered:
            return self.first_page()
        if self.num_pages > 1:
            self.object_list = self.object_list.totally_ordered()
        return super().page(number)

    def first_page(self) -> Page:
        """The first page, by one query where it is the only one: the count is then known."""
        records = self.object_list[0 : self.per_page + 1]
        if len(records) <= self.per_page:
            self.count = len(records)
        return Page(records[: self.per_page], 1, self)


class UncountedPaginator(StablePaginator):
    """The first page of a list without a count; AWX has no further page of it."""

    count = 200
    num_pages = 1


class Pagination(PageNumberPagination):
    """``next`` and ``previous`` are paths, by ids. With ``count_disabled``, of any value, only results."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 200
    django_paginator_class = StablePaginator
    page: Page
    request: Request
    view: Any

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self.view = view
        self.counted = "count_disabled" not in request.query_params
        if not self.counted:
            self.django_paginator_class = UncountedPaginator
        return super().paginate_queryset(queryset, request, view)

    def get_page_number(self, request: Request, paginator: Any) -> Any:
        """The requested page, where DRF would always take an empty ``page`` for the first one."""
        page: Any = request.query_params.get(self.page_query_param, 1)
        if page == "" and dialects.current().takes_empty_page:
            page = 1
        return paginator.num_pages if page in self.last_page_strings else page

    def get_paginated_response(self, data: Any) -> Response:
        return super().get_paginated_response(data) if self.counted else Response({"results": data})

    def get_next_link(self) -> str | None:
        return self.link(self.page.next_page_number()) if self.page.has_next() else None

    def get_previous_link(self) -> str | None:
        return self.link(self.page.previous_page_number()) if self.page.has_previous() else None

    def link(self, number: int) -> str:
        url = self.view.address()
        size = self.request.GET.get(self.page_size_query_param, "")
        if size.isascii() and size.isdecimal() and int(size[:20]) > self.max_page_size:
            url = replace_query_param(url, self.page_size_query_param, self.max_page_size)
        return replace_query_param(url, self.page_query_param, number)
