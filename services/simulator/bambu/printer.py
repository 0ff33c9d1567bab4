"""A virtual Bambu printer: answers what the bridge may ask, tells its state, and can be broken."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from services.simulator.bambu.broker import INNER_USER, Broker, BrokerSpec, find_mosquitto
from services.simulator.bambu.broker import Mosquitto as _Mosquitto
from services.simulator.bambu.certs import Authority
from services.simulator.bambu.profiles import PROFILES, Profile
from services.simulator.bambu.small_broker import SmallBroker
from takt.ports import HOST, free_port

log = logging.getLogger(__name__)

CANCELLED = 0x0300400C
_INNER_SECONDS = 10.0


class VirtualPrinter:
    """Start it, set its fields, break it. Safe for several threads.

    `asked` counts the commands that came, by name; `quiet` swallows everything it would say.
    """

    def __init__(
        self,
        serial: str,
        code: str,
        authority: Authority,
        folder: Path,
        profile: Profile = PROFILES["P1S"],
        *,
        port: int = 0,
        chatty: bool = False,
        small: bool = False,
    ) -> None:
        self.serial = serial
        self.profile = profile
        self.authority = authority
        self.asked: dict[str, int] = {}
        self.quiet = False
        self.answers = True
        self.fields = profile.baseline
        spec = BrokerSpec(
            *(
                serial,
                code,
                authority.leaf(serial),
                folder / serial,
                port or free_port(),
                free_port(),
            )
        )
        is_small = small or find_mosquitto() is None
        self.broker: Broker = SmallBroker(spec) if is_small else _Mosquitto(spec)
        self._chatty = chatty
        self._lock = threading.RLock()
        self._client: paho.Client | None = None
        self._stop = threading.Event()
        self._stopped_pushing = False

    @property
    def port(self) -> int:
        return self.broker.spec.port

    @property
    def code(self) -> str:
        return self.broker.spec.code

    def start(self) -> None:
        """Switch it on; it says nothing until it is asked, or (chatty) in its own rhythm."""
        self.broker.start()
        self._stop.clear()
        self._connect()
        if self._chatty:
            threading.Thread(target=self._chat, name=f"chat {self.serial}", daemon=True).start()

    def stop(self) -> None:
        """Pull the plug."""
        self._stop.set()
        self._disconnect()
        self.broker.stop()

    def reboot(self, **fields: Any) -> None:
        """Off and on again; it forgets its job and shows these fields."""
        self.stop()
        with self._lock:
            self.fields = {**self.profile.baseline, **fields}
        self._stopped_pushing = False
        self.start()

    # What it says

    def set(self, **fields: Any) -> None:
        """Change the state and tell it the way the model does."""
        with self._lock:
            self.fields.update(fields)
        self.tell_changes(fields) if self.profile.deltas else self.tell_all()

    def tell_all(self) -> None:
        with self._lock:
            said = dict(self.fields)
        self.say({"print": {"command": "push_status", "msg": 0, "sequence_id": "2021", **said}})

    def tell_changes(self, fields: Mapping[str, Any]) -> None:
        self.say({"print": {"command": "push_status", "msg": 1, "sequence_id": "7", **fields}})

    def acknowledge(self, command: str, result: str = "success", **fields: Any) -> None:
        """The reply to somebody else's command: everybody hears it."""
        self.say({"print": {"command": command, "result": result, "sequence_id": "9", **fields}})

    def say(self, document: Mapping[str, Any]) -> None:
        self.say_raw(json.dumps(document, ensure_ascii=False).encode())

    def say_raw(self, payload: bytes) -> None:
        """Any bytes, also ones that make no sense."""
        client = self._client
        if client is not None and not self.quiet and not self._stopped_pushing:
            client.publish(f"device/{self.serial}/report", payload, qos=0)

    # What can go wrong

    def stop_pushing(self) -> None:
        """As when another program sent pushing.stop: silent until somebody sends start."""
        self._stopped_pushing = True

    def show_certificate_of(self, serial: str) -> None:
        """Another machine answers at this address."""
        self.broker.spec.leaf = self.authority.leaf(serial)
        self._restart_broker()

    def change_code(self, code: str) -> None:
        """As after a switch of the LAN mode."""
        self.broker.spec.code = code
        self._restart_broker()

    def break_connections(self) -> None:
        """The network drops: everybody has to connect again."""
        self._restart_broker()

    # Inside

    def _restart_broker(self) -> None:
        self._disconnect()
        self.broker.stop()
        self.broker.start()
        self._connect()

    def _connect(self) -> None:
        ready = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        client.username_pw_set(INNER_USER, self.broker.spec.inner_password)
        client.on_message = lambda _client, _data, message: self._asked(bytes(message.payload))
        client.on_connect = lambda c, *_: c.subscribe(f"device/{self.serial}/request")
        client.on_subscribe = lambda *_: ready.set()
        client.connect(HOST, self.broker.spec.inner_port, keepalive=60)
        client.loop_start()
        if not ready.wait(_INNER_SECONDS):
            raise RuntimeError("The virtual printer cannot reach its own broker.")
        self._client = client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _asked(self, payload: bytes) -> None:
        try:
            document = json.loads(payload)
            kind, body = next(iter(document.items()))
            command = str(body["command"])
        except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
            return
        self.asked[command] = self.asked.get(command, 0) + 1
        if not self.answers:
            return
        if command == "start":
            self._stopped_pushing = False
        elif command == "pushall":
            self.tell_all()
        elif command == "get_version":
            self.say(self.profile.version())
        else:
            log.warning("unexpected command", extra={"action": "sim.command", "command": kind})

    def _chat(self) -> None:
        while not self._stop.wait(self.profile.period):
            try:
                if self.profile.deltas:
                    self.tell_changes({"wifi_signal": f"-{50 + int(time.time()) % 9}dBm"})
                else:
                    self.tell_all()
            except (OSError, RuntimeError):  # it is being switched off
                continue
