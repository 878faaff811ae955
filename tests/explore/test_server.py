"""Who may talk to the server, and which port it takes."""

import socket

import pytest

from vae_cli.errors import RunError
from vae_cli.explore.guard import MAX_BODY, Guard, is_bounded, is_loopback
from vae_cli.explore.own_pictures import check_upload
from vae_cli.explore.ports import address_of, listening_socket


def allows(host: str, header: str, origin: str | None = None) -> bool:
    headers = [(b"host", header.encode())]
    if origin is not None:
        headers.append((b"Origin", origin.encode()))
    return Guard(lambda *_: None, host).allows(headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_own_page_may_talk_to_the_server_through_any_port(name: str) -> None:
    for port in ("", ":8800", ":9000"):  # of a tunnel, too
        assert allows("127.0.0.1", name + port)
        assert allows("127.0.0.1", name + port, f"http://{name}{port}")


def test_name_that_someone_points_here_is_refused() -> None:
    for header in ("evil.example", "evil.example:8800", "127.0.0.1.evil.example", ""):
        assert not allows("127.0.0.1", header)
        assert not allows("0.0.0.0", header)


def test_page_of_another_site_is_refused() -> None:
    for origin in ("http://evil.example", "http://127.0.0.1:9999", "null"):
        assert not allows("127.0.0.1", "127.0.0.1:8800", origin)


def test_server_for_the_network_answers_to_its_addresses_and_name() -> None:
    for header in ("192.168.1.7:8800", socket.gethostname() + ":8800"):
        assert allows("0.0.0.0", header, f"http://{header}")
        assert not allows("127.0.0.1", header)


def test_addresses_of_this_machine_alone() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("::1") and is_loopback("localhost")
    assert not is_loopback("0.0.0.0") and not is_loopback("192.168.1.7")
    assert address_of("0.0.0.0", 80) == "http://127.0.0.1:80/"
    assert address_of("::1", 80) == "http://[::1]:80/"


def test_taken_port_names_one_that_is_free() -> None:
    with listening_socket("127.0.0.1", 0) as own:
        port = own.getsockname()[1]
        with pytest.raises(RunError, match=f"port={port}.*in use") as refused:
            listening_socket("127.0.0.1", port)
    free = int(refused.value.args[1].split("=")[1].split()[0])
    listening_socket("127.0.0.1", free).close()


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(RunError, match=r"host=192\.0\.2\.1 can't be used"):
        listening_socket("192.0.2.1", 8800)


def test_upload_must_be_a_picture_of_a_sane_size() -> None:
    check_upload("a.PNG", 10)
    with pytest.raises(RunError.__base__, match=r"x\.npz is not a picture"):
        check_upload("x.npz", 10)
    with pytest.raises(RunError.__base__, match="larger than 20 MB"):
        check_upload("a.png", 21 * 2**20)


def test_upload_must_say_its_size_before_it_comes() -> None:
    assert is_bounded([(b"content-length", b"1000")])
    assert not is_bounded([(b"content-length", str(MAX_BODY + 1).encode())])
    assert not is_bounded([(b"transfer-encoding", b"chunked")])
    assert not is_bounded([(b"content-length", b"-1")])
