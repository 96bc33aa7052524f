"""What --seedshift-cluster means, and what is said where Ray or its token is missing. Ray itself is not asked."""

from __future__ import annotations

import socket

import pytest

from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.runner.cluster import address
from pytest_seedshift.runner.cluster.address import Place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("auto", Place("auto")),
        (" auto ", Place("auto")),
        ("local", Place("local")),
        ("local:1", Place("local", processes=1)),
        ("local:64", Place("local", processes=64)),
        ("ray://head:10001", Place("address", "ray://head:10001")),
        ("head:1\n", Place("address", "head:1")),
        ("10.0.0.4:6379", Place("address", "10.0.0.4:6379")),
        ("[fd00::4]:6379", Place("address", "[fd00::4]:6379")),
        ("ray-head.gpu.svc.cluster.local:6379", Place("address", "ray-head.gpu.svc.cluster.local:6379")),
    ],
)
def test_what_is_understood(text, place):
    assert address.parse(text) == place
    assert address.parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", "atuo", "lokal", "local:", "local:0", "local:-1", "local:2.5", "local:²", "local:99999", "head", "head:"),
        *(":1", "head:0", "head:65536", "head:abc", "http://head:1", "ray://", "ray://head", "ray:/head:1", "a b:1"),
        *("auto:2", "head:10001/x", "user@head:1", "AUTO", "local:4:4", "x" * 300),
    ],
)
def test_what_is_not_is_told_with_what_is_valid(text):
    with pytest.raises(SeedshiftUsageError, match="--seedshift-cluster=") as caught:
        address.parse(text)
    assert "local" in str(caught.value)


def test_what_takes_its_time_is_told_before_it_is_done():
    assert address.parse("local:4").joining == "starting Ray on this machine"
    assert address.parse("ray://head:10001").joining == "joining the Ray cluster (ray://head:10001)"


def test_a_misspelt_place_is_guessed():
    with pytest.raises(SeedshiftUsageError, match="Did you mean 'auto'"):
        address.parse("atuo")


def token(tmp_path, **environment):
    address.check_token(Place("auto"), {"HOME": str(tmp_path), **environment}, without=False)


def test_a_cluster_without_a_token_is_refused(tmp_path):
    with pytest.raises(SeedshiftUsageError, match=r"RAY_AUTH_MODE is not set.*--seedshift-cluster-without-token"):
        token(tmp_path)
    with pytest.raises(SeedshiftUsageError, match="RAY_AUTH_MODE=disabled"):
        token(tmp_path, RAY_AUTH_MODE="disabled")


def test_a_token_has_to_be_somewhere(tmp_path):
    with pytest.raises(SeedshiftUsageError, match="auth_token cannot be read"):
        token(tmp_path, RAY_AUTH_MODE="token")
    with pytest.raises(SeedshiftUsageError, match=r"/nowhere cannot be read"):
        token(tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH="/nowhere")
    kept = tmp_path / ".ray" / "auth_token"
    kept.parent.mkdir()
    kept.write_text("\n")
    with pytest.raises(SeedshiftUsageError, match="is empty"):
        token(tmp_path, RAY_AUTH_MODE="token")
    kept.write_text("secret\n")
    token(tmp_path, RAY_AUTH_MODE="token")
    token(tmp_path, RAY_AUTH_MODE="TOKEN", RAY_AUTH_TOKEN="secret")


def test_who_goes_without_says_so_by_name(tmp_path):
    address.check_token(Place("auto"), {"HOME": str(tmp_path)}, without=True)
    address.check_token(Place("local"), {"HOME": str(tmp_path)}, without=False)  # it gets one of its own


@pytest.mark.parametrize("found", ["2.58.0", "1.13.0", "2.9.3"])
def test_an_old_ray_is_refused(monkeypatch, found):
    monkeypatch.setattr(address, "version", lambda _: found)
    with pytest.raises(SeedshiftUsageError, match=rf"Ray {found} is installed, and 2.59 or later is needed"):
        address.check_ray(Place("auto"))


@pytest.mark.parametrize("found", ["2.59.0", "2.100.0rc1", "3.0.0.dev0"])
def test_a_later_ray_is_not(monkeypatch, found):
    monkeypatch.setattr(address, "version", lambda _: found)
    address.check_ray(Place("auto"))


def test_no_ray_is_told_with_what_to_install(monkeypatch):
    def missing(name):
        raise address.PackageNotFoundError(name)

    monkeypatch.setattr(address, "version", missing)
    with pytest.raises(SeedshiftUsageError, match=r"pip install 'pytest-seedshift\[ray\]'"):
        address.check_ray(Place("auto"))


def test_where_nothing_listens_is_told_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for place in (address.parse(f"127.0.0.1:{port}"), address.parse(f"ray://127.0.0.1:{port}")):
        with pytest.raises(
            SeedshiftUsageError, match=rf"no Ray cluster answers at (ray://)?127.0.0.1:{port} \(Connection refused"
        ):
            address.check_answers(place, {})
    with pytest.raises(SeedshiftUsageError, match=r"no Ray cluster answers at RAY_ADDRESS=nowhere\.invalid:1 "):
        address.check_answers(Place("auto"), {"RAY_ADDRESS": "nowhere.invalid:1"})
    address.check_answers(Place("auto"), {})
    address.check_answers(Place("local"), {"RAY_ADDRESS": "nowhere.invalid:1"})
    with socket.create_server(("127.0.0.1", 0)) as server:
        address.check_answers(address.parse(f"127.0.0.1:{server.getsockname()[1]}"), {})


@pytest.mark.parametrize("named", ["local", "http://127.0.0.1:8265", "https://ray.example", "head", "head:x"])
def test_an_address_in_the_environment_that_no_run_can_join_is_told(named):
    with pytest.raises(SeedshiftUsageError, match=rf"RAY_ADDRESS={named} names no cluster that a run can join"):
        address.check_named(Place("auto"), {"RAY_ADDRESS": named})


@pytest.mark.parametrize("named", ["", "auto", "head:6379", "ray://head:10001", "[fd00::4]:6379"])
def test_one_that_can_be_joined_is_not(named):
    address.check_named(Place("auto"), {"RAY_ADDRESS": named})
    address.check_named(Place("local"), {"RAY_ADDRESS": "local"})
