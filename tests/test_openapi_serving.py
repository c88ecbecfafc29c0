"""The document as a process serves it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.service import served


@pytest.mark.slow
def test_many_who_ask_a_new_process_at_once_are_all_answered(dataset_url: str) -> None:
    with served(dataset_url) as address, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(f"{address}/api/schema/", timeout=60), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1
