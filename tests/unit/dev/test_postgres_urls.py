"""The addresses of databases."""

import pytest

from claw_dev.postgres import with_database, without_credentials

ADMIN = "postgresql://admin:p%40ss@127.0.0.1:5432/postgres?sslmode=disable"


def test_another_database_of_the_same_server_as_the_same_user() -> None:
    assert with_database(ADMIN, "claw_1") == "postgresql://admin:p%40ss@127.0.0.1:5432/claw_1?sslmode=disable"


def test_another_user_with_a_password_of_any_characters() -> None:
    url = with_database(ADMIN, "db", user="us/er", password="a:b@c/d")

    assert url == "postgresql://us%2Fer:a%3Ab%40c%2Fd@127.0.0.1:5432/db?sslmode=disable"


@pytest.mark.parametrize("url", [ADMIN, "postgresql://127.0.0.1:5432/postgres"])
def test_what_is_shown_has_no_password(url: str) -> None:
    assert without_credentials(url) == "postgresql://127.0.0.1:5432/postgres"
