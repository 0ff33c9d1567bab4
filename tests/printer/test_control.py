"""Hands and eyes over HTTP, what they refuse, and what a scanner reads on the paper."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from services.simulator.printer.spec import Spec
from services.simulator.printer.thread import RunningPrinter, running_printers
from takt.labels.decode import read_codes
from tests.printer.bench import Client, label
from tests.takt.processes import wait_for


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, RunningPrinter]]:
    specs = [
        Spec("z1", "Bench", label_s=0.01),
        Spec("z3", dpi=300, label_s=0.01),
        Spec("t1", language="tspl", label_s=0.01),
    ]
    with running_printers(specs, pictures=True) as printers:
        yield printers


@pytest.fixture
def http(running: dict[str, RunningPrinter]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running["z1"].control_url, timeout=60) as client:
        yield client
        assert client.post("printers/z1/faults", json={"clear": "all"}).status_code == 200


@pytest.fixture
def zebra(running: dict[str, RunningPrinter]) -> RunningPrinter:
    return running["z1"]


def post(http: httpx.Client, path: str, **facts: Any) -> dict[str, Any]:
    answer = http.post(f"printers/z1/{path}", json=facts)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def state(http: httpx.Client, code: str = "z1") -> dict[str, Any]:
    return dict(http.get(f"printers/{code}").json())


def send(printer: RunningPrinter, data: bytes) -> None:
    with Client(printer.port) as client:
        client.send(data)
        client.rest()


def printed(http: httpx.Client, printer: RunningPrinter, *serials: str) -> None:
    """Print labels and wait until nothing moves any more."""
    send(printer, b"".join(label(serial) for serial in serials))
    settle(http)


def settle(http: httpx.Client) -> None:
    """Wait until nothing moves any more."""

    def stands() -> bool:
        now = state(http)
        return not now["is_moving"] and bool(now["conditions"] or not now["formats"])

    wait_for(stands, "it stands still")


def picture(http: httpx.Client, code: str, data: bytes, printer: RunningPrinter) -> bytes:
    """The PNG of the one label that `data` prints."""
    before = state(http, code)["paper"]
    send(printer, data)
    wait_for(lambda: state(http, code)["paper"] > before, "it is out")
    answer = http.get(f"printers/{code}/paper/{before + 1}.png")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_all_printers_with_their_addresses(http: httpx.Client, zebra: RunningPrinter) -> None:
    first, _, tsc = http.get("printers").json()
    wanted = ("z1", "Bench", "zpl", 203, [])
    found = tuple(first[name] for name in ("code", "name", "language", "dpi", "conditions"))
    assert found == wanted
    assert first["address"] == zebra.address
    assert first["json_address"] == f"127.0.0.1:{zebra.json_port}"
    assert (tsc["language"], tsc["json_address"]) == ("tspl", None)


def test_the_paper_newest_first(http: httpx.Client, zebra: RunningPrinter) -> None:
    printed(http, zebra, "A", "B", "C")
    rows = http.get("printers/z1/paper", params={"limit": 3}).json()
    assert [(row["texts"], row["kind"], row["spoiled"]) for row in rows] == [
        (["C"], "label", False),
        (["B"], "label", False),
        (["A"], "label", False),
    ]
    assert rows[0]["source"] == label("C").decode()
    page = http.get("printers/z1/paper", params={"limit": 1, "before": rows[0]["n"]}).json()
    assert [row["n"] for row in page] == [rows[1]["n"]]


def test_faults_now_later_and_mended(http: httpx.Client, zebra: RunningPrinter) -> None:
    assert post(http, "faults", fault="paper_out")["conditions"] == ["paper_out"]
    assert post(http, "faults", clear="paper_out")["conditions"] == []
    before = state(http)["paper"]
    post(http, "faults", fault="head_open", after_labels=2, mid_label=False)
    printed(http, zebra, "A", "B", "C")
    now = post(http, "faults", fault="deaf", times=1)
    assert (now["conditions"], now["line"]) == (["head_open"], ["deaf"])
    assert now["paper"] == before + 2
    now = post(http, "faults", clear="all")
    assert (now["conditions"], now["line"]) == ([], [])


def test_power_feed_roll_and_settings(http: httpx.Client, zebra: RunningPrinter) -> None:
    boots = state(http)["boots"]
    assert post(http, "power", state="off")["powered"] is False
    assert post(http, "power", state="on")["boots"] == boots + 1
    assert post(http, "power", state="cycle")["boots"] == boots + 2
    odometer = state(http)["odometer"]
    assert post(http, "feed")["odometer"] == odometer + 1
    assert post(http, "feed", times=3)["odometer"] == odometer + 4
    assert post(http, "feed", calibrate=True)["odometer"] == odometer + 6
    now = post(http, "load", labels=1, width_mm=50.0, height_mm=25)
    assert (now["roll"], now["width_mm"], now["height_mm"]) == (1, 50.0, 25)
    printed(http, zebra, "A", "B")
    assert state(http)["conditions"] == ["paper_out"]
    assert post(http, "load", width_mm=100.0, height_mm=60.0)["conditions"] == []
    assert post(http, "settings", dpi=300, hs_talks_in_fault=True)["dpi"] == 300
    assert post(http, "settings", dpi=203, hs_talks_in_fault=False)["dpi"] == 203


@pytest.mark.parametrize(
    ("path", "facts", "word"),
    [
        ("faults", {}, "paper_out"),
        ("faults", {"fault": "earthquake"}, "paper_out"),
        ("faults", {"fault": "deaf", "sometime": 3}, "sometime"),
        ("faults", {"fault": "deaf", "times": "3"}, "times"),
        ("faults", {"fault": "slow_read", "rate": 0}, "rate"),
        ("faults", {"fault": "head_open", "mid_label": "yes"}, "mid_label"),
        ("faults", {"fault": "late", "command": 5}, "command"),
        ("faults", {"fault": "paper_out", "after_s": -1}, "after_s"),
        ("faults", {"clear": "earthquake"}, "all"),
        ("power", {"state": "half"}, "cycle"),
        ("feed", {"times": 0}, "times"),
        ("load", {"labels": True}, "labels"),
        ("load", {"width_mm": "wide"}, "width_mm"),
        ("load", {"width_mm": 0}, "width_mm"),
        ("settings", {"dpi": 201}, "dpi"),
        ("settings", {"dpi": True}, "dpi"),
        ("settings", {"second_connection": "share"}, "queue"),
        ("settings", {"code": "x"}, "code"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(
    http: httpx.Client, path: str, facts: dict[str, Any], word: str
) -> None:
    before = state(http)
    answer = http.post(f"printers/z1/{path}", json=facts)
    assert answer.status_code == 400
    assert word in answer.json()["message"]
    assert {**state(http), "uptime_s": 0} == {**before, "uptime_s": 0}


def test_what_is_not_there_and_what_is_not_json(http: httpx.Client) -> None:
    assert http.get("printers/x").status_code == 404
    assert http.get("printers/z1/paper/999999.png").status_code == 404
    assert http.get("printers/z1/paper?limit=x").status_code == 400
    # What a form on another page could send, and what another name for this computer could.
    assert http.post("printers/z1/power", content='{"state":"off"}').status_code == 415
    assert http.post("printers/z1/power", json=[1]).status_code == 400
    assert http.get("printers", headers={"host": "evil.example"}).status_code == 400
    assert state(http)["powered"] is True


def test_a_scanner_reads_the_paper(http: httpx.Client, running: dict[str, RunningPrinter]) -> None:
    codes = b"^FO20,20^BY2^BCN,80,N,N,N^FDbannos-18617-A^FS^FO20,110^BQN,2,4^FDMA,Q_1^FS"
    size = {"z1": (400, 240), "z3": (590, 354)}
    for code, (wide, high) in size.items():
        data = f"^XA^CI28^PW{wide}^LL{high}".encode() + codes + b"^PQ1^XZ"
        png = picture(http, code, data, running[code])
        assert {found.text for found in read_codes(png)} == {"bannos-18617-A", "Q_1"}
        assert Image.open(io.BytesIO(png)).size == (wide, high)


def test_a_scanner_reads_the_paper_of_the_tsc(
    http: httpx.Client, running: dict[str, RunningPrinter]
) -> None:
    data = (
        b"SIZE 60 mm,40 mm\r\nCLS\r\n"
        b'BARCODE 20,20,"128",80,0,0,2,2,"A-0001"\r\nQRCODE 20,140,M,5,A,0,"Zo\xc3\xab"\r\n'
        b'DMATRIX 300,140,100,100,c60,x5,"D~1_"\r\nTEXT 20,280,"0",0,8,8,"plain"\r\nPRINT 1,1\r\n'
    )
    png = picture(http, "t1", data, running["t1"])
    assert {found.text for found in read_codes(png)} == {"A-0001", "Zoë", "D~1_"}
    assert Image.open(io.BytesIO(png)).size == (480, 320)


def test_a_spoiled_label_is_half_a_picture(http: httpx.Client, zebra: RunningPrinter) -> None:
    post(http, "faults", fault="head_open", mid_label=True)
    data = b"^XA^PW400^LL240^FO0,0^GB400,240,240^FS^XZ"
    png = picture(http, "z1", data, zebra)
    drawn = Image.open(io.BytesIO(png)).convert("L")
    row = http.get("printers/z1/paper", params={"limit": 1}).json()[0]
    assert row["spoiled"] is True
    assert (drawn.getpixel((200, 50)), drawn.getpixel((200, 200))) == (0, 255)


def test_a_blank_label_has_a_picture(http: httpx.Client) -> None:
    settle(http)
    n = post(http, "feed")["paper"]
    answer = http.get(f"printers/z1/paper/{n}.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).getextrema() == (255, 255)


def test_a_label_that_cannot_be_drawn_says_why(http: httpx.Client, zebra: RunningPrinter) -> None:
    # Code 128 outside ASCII breaks the renderer; a printer prints something anyway.
    before = state(http)["paper"]
    send(zebra, "^XA^CI28^FO20,20^BY2^BCN,80,N,N,N^FDæ^FS^XZ".encode())
    wait_for(lambda: state(http)["paper"] > before, "it is out")
    answer = http.get(f"printers/z1/paper/{before + 1}.png")
    assert answer.status_code == 503
    assert "cannot be drawn" in answer.json()["message"]


def test_the_page_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    for part in ("style.css", "page.js"):
        assert f'"{part}"' in page.text  # relative: it may stand below any path
        assert http.get(part).status_code == 200
    text = page.text + http.get("page.js").text
    assert "://" not in text
    assert " onclick" not in text
    assert "<style" not in page.text
