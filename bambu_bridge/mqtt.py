"""One connection to one Bambu printer: the printer is the broker, TLS, and the bridge only reads.

The serial number is the name in the printer's certificate and is checked as the server name, so
that after a change of addresses no print is booked on another machine. The only messages ever
sent ask for a report: get_version, pushall and pushing.start.
"""

from __future__ import annotations

import json
import logging
import ssl
import sys
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from bambu_bridge import clock
from bambu_bridge.inbox import Heard, Inbox
from bambu_bridge.settings import BridgeSettings, PrinterConfig
from takt.backoff import full_jitter

log = logging.getLogger(__name__)

_USER = "bblp"
_KEEPALIVE = 20
_CONNECT_SECONDS = 8.0
_STEP = 0.25
_FLAPS, _FLAP_WINDOW = 4, 300.0
_BAD_CODE = (134, 135)

ASK_VERSION = {"info": {"sequence_id": "0", "command": "get_version"}}
ASK_ALL = {"pushing": {"sequence_id": "0", "command": "pushall", "version": 1, "push_target": 1}}
ASK_START = {"pushing": {"sequence_id": "0", "command": "start"}}

_WORDS = {
    "connecting": "Not connected yet.",
    "online": "Reports arrive.",
    "stale": "Connected, but silent: asked to go on.",
    "offline": "Not reachable.",
    "auth": "The access code is refused. Was it changed? It changes with every LAN-only switch.",
    "wrong_serial": "Connected, but not one report came: is the serial number right?",
    "cert_mismatch": "Another machine answers at this address, or TAKT_BAMBU_CA does not fit it.",
    "flapping": "The connection breaks again and again: does another program hold it?",
}


@dataclass
class LinkState:
    """How the connection is. Times are steady seconds."""

    link: str = "connecting"
    detail: str = ""
    connected: bool = False
    connects: int = 0
    reports: int = 0
    last_report_wall: float | None = None

    @property
    def text(self) -> str:
        return f"{_WORDS[self.link]} {self.detail}".strip()


class _Pinned(ssl.SSLContext):
    """Checks the certificate against the serial number, whatever the address is."""

    serial: str = ""

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        options["server_hostname"] = self.serial
        return super().wrap_socket(sock, *args, **options)


def pinned_context(serial: str, ca: Path) -> ssl.SSLContext:
    """Only a certificate for this serial, signed by the printers' CA. Errors: OSError."""
    context = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
    context.serial = serial
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    # The file may hold the vendor's root or only what signed this model.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if sys.version_info >= (3, 13):  # the printers' certificates are X.509 v1
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Link:
    """Keeps the connection up from a thread of its own and puts what it hears into the inbox."""

    def __init__(self, printer: PrinterConfig, settings: BridgeSettings, inbox: Inbox) -> None:
        self._printer = printer
        self._settings = settings
        self._inbox = inbox
        self._stop = threading.Event()
        self._ask = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"mqtt {printer.serial}", daemon=True
        )
        self._client: paho.Client | None = None
        self._refused: str | None = None
        self._ready = False
        self._heard = self._asked = self._poked = 0.0
        self._breaks: deque[float] = deque(maxlen=_FLAPS)
        self.state = LinkState()

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask_full(self) -> None:
        """A full report, please."""
        self._ask.set()

    def stop(self) -> None:
        """Hang up. The thread ends within a second or two."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    # The thread

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            before = self.state.reports
            link, detail = self._session()
            if self._stop.is_set():
                return
            self._say(link, detail)
            attempt = 0 if self.state.reports > before else attempt + 1
            cap = self._settings.bambu_backoff
            wait = (
                self._settings.bambu_auth_wait if link == "auth" else full_jitter(attempt, 1, cap)
            )
            self._stop.wait(max(wait, min(1.0, cap)))

    def _session(self) -> tuple[str, str]:
        """Connect and read until it ends; answers (link, detail) of how it ended."""
        self._refused, self._ready = None, False
        try:
            client = self._client = self._new_client()
            client.connect(*self._printer.address, keepalive=_KEEPALIVE)
            return self._read(client)
        except ssl.SSLCertVerificationError as error:
            return "cert_mismatch", error.verify_message
        except OSError as error:
            return "offline", f"({error.strerror or type(error).__name__})"
        except Exception:  # a defect must not end the only thread that listens
            log.exception("link failed", extra={"action": "link.failed", **self._who})
            return "offline", "(internal error)"
        finally:
            self._hang_up()

    def _read(self, client: paho.Client) -> tuple[str, str]:
        self._heard = self._asked = self._poked = time.monotonic()
        while not self._stop.is_set():
            code = client.loop(timeout=_STEP)
            if self._refused is not None:
                return "auth", f"({self._refused})"
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return self._broken(), f"({paho.error_string(code)})"
            if self._ready and (reason := self._watch(client)):
                return reason, ""
        return "offline", "(stopped)"

    def _watch(self, client: paho.Client) -> str | None:
        """Ask again after silence; the state to hang up with when that does not help."""
        now, settings = time.monotonic(), self._settings
        silent = now - self._heard
        if silent >= settings.bambu_reconnect:
            return "stale" if self.state.reports else "wrong_serial"
        if silent >= settings.bambu_silence and now - self._poked >= settings.bambu_silence:
            self._poked = now
            self._say("stale" if self.state.reports else "wrong_serial")
            self._send(client, ASK_START)
            self._send(client, ASK_ALL)
        elif self._ask.is_set() or now - self._asked >= settings.bambu_resync:
            self._ask.clear()
            self._asked = now
            self._send(client, ASK_ALL)
        return None

    def _new_client(self) -> paho.Client:
        printer, ca = self._printer, self._settings.ca_of(self._printer)
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"takt-{uuid.uuid4().hex[:12]}",
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_SECONDS
        client.username_pw_set(_USER, printer.access_code.get_secret_value())
        if ca is None:
            raise OSError("TAKT_BAMBU_CA is not set")
        client.tls_set_context(pinned_context(printer.serial, ca))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            known = reason.value in _BAD_CODE
            self._refused = str(reason) if known else f"refused: {reason}"
            return
        client.subscribe(f"device/{self._printer.serial}/report", qos=0)

    def _on_subscribe(self, client: paho.Client, *_rest: Any) -> None:
        self._ready = True
        self._heard = time.monotonic()
        self.state.connects += 1
        self._say("connecting")
        self._inbox.put(Heard(clock.now()))
        self._send(client, ASK_VERSION)
        self._send(client, ASK_ALL)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        now = clock.now()
        self._heard = time.monotonic()
        self.state.reports += 1
        self.state.last_report_wall = now.wall
        self._inbox.put(Heard(now, bytes(message.payload)))
        if self.state.link != "online":
            self._say("flapping" if self._is_flapping() else "online")

    def _send(self, client: paho.Client, what: dict[str, Any]) -> None:
        # QoS 0: acknowledgements of these brokers stop after a while and would fill the client.
        client.publish(f"device/{self._printer.serial}/request", json.dumps(what), qos=0)

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        self._ready = self.state.connected = False
        self._inbox.put(Heard(clock.now()))
        if client is None:
            return
        client.disconnect()
        if (sock := client.socket()) is not None:
            sock.close()

    def _broken(self) -> str:
        self._breaks.append(time.monotonic())
        return "flapping" if self._is_flapping() else "offline"

    def _is_flapping(self) -> bool:
        return len(self._breaks) == _FLAPS and time.monotonic() - self._breaks[0] < _FLAP_WINDOW

    def _say(self, link: str, detail: str = "") -> None:
        state = self.state
        state.connected = self._ready and link not in ("offline", "auth", "cert_mismatch")
        if (link, detail) == (state.link, state.detail):
            return
        state.link, state.detail = link, detail
        fields = {"action": "link.changed", "link": link, **self._who}
        log.log(logging.INFO if link == "online" else logging.WARNING, state.text, extra=fields)

    @property
    def _who(self) -> dict[str, str]:
        return {"printer": self._printer.serial, "host": self._printer.host}
