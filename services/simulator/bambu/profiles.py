"""How the models differ: what a full report holds and how changes are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_COMMON: dict[str, Any] = {
    "ams_status": 0,
    "bed_target_temper": 0,
    "bed_temper": 25.5,
    "big_fan1_speed": "0",
    "big_fan2_speed": "0",
    "chamber_temper": 5,
    "cooling_fan_speed": "0",
    "fan_gear": 0,
    "force_upgrade": False,
    "gcode_file": "",
    "gcode_file_prepare_percent": "0",
    "gcode_state": "IDLE",
    "heatbreak_fan_speed": "0",
    "hms": [],
    "home_flag": 16687,
    "hw_switch_state": 0,
    "ipcam": {"ipcam_record": "enable", "timelapse": "disable"},
    "layer_num": 0,
    "lifecycle": "product",
    "lights_report": [{"mode": "off", "node": "chamber_light"}],
    "mc_percent": 0,
    "mc_print_line_number": "0",
    "mc_print_stage": "1",
    "mc_print_sub_stage": 0,
    "mc_remaining_time": 0,
    "nozzle_diameter": "0.4",
    "nozzle_target_temper": 0,
    "nozzle_temper": 27.2,
    "online": {"ahb": False, "rfid": False, "version": 1},
    "print_error": 0,
    "print_type": "idle",
    "profile_id": "0",
    "project_id": "0",
    "queue_est": 0,
    "queue_number": 0,
    "queue_sts": 0,
    "queue_total": 0,
    "s_obj": [],
    "sdcard": True,
    "spd_lvl": 2,
    "spd_mag": 100,
    "stg": [],
    "stg_cur": 255,
    "subtask_id": "0",
    "subtask_name": "",
    "task_id": "0",
    "total_layer_num": 0,
    "upgrade_state": {"status": "IDLE", "progress": ""},
    "upload": {"message": "", "progress": 0, "status": "idle"},
    "wifi_signal": "-50dBm",
}
_NEWER: dict[str, Any] = {
    "fail_reason": "0",
    "job_id": "0",
    "lan_task_id": "0",
    "mc_print_error_code": "0",
    "plate_cnt": 0,
    "plate_id": 0,
    "plate_idx": 0,
    "stg_cur": -1,
}


@dataclass(frozen=True)
class Profile:
    """`deltas`: only changes are told, with `msg` 1; otherwise all of it, each time.

    `plates`: the file is `plate_N.gcode` for every project and the plate is told beside it.
    """

    product: str
    firmware: str
    board: str
    deltas: bool
    plates: bool
    period: float

    @property
    def baseline(self) -> dict[str, Any]:
        """An idle printer's full report."""
        return {**_COMMON, **(_NEWER if self.plates else {})}

    def version(self) -> dict[str, Any]:
        """The reply to get_version."""
        modules = [
            {"name": "ota", "sw_ver": self.firmware, "product_name": self.product, "hw_ver": "OTA"},
            {"name": self.board, "sw_ver": "01.00.00.00", "product_name": "", "hw_ver": "AP05"},
        ]
        return {"info": {"command": "get_version", "sequence_id": "0", "module": modules}}

    def job_fields(self, name: str, plate: int, job_id: str) -> dict[str, Any]:
        """How a job is named: cloud or LAN counter where the model has ids, "0" elsewhere."""
        if not self.plates:
            return {"subtask_name": name, "gcode_file": f"{name}.3mf"}
        ids = {"task_id": job_id, "subtask_id": job_id, "job_id": job_id}
        path = f"/data/Metadata/plate_{plate}.gcode"
        return {"subtask_name": name, "gcode_file": path, "plate_idx": plate, **ids}


PROFILES = {
    "A1 mini": Profile("Bambu Lab A1 mini", "01.07.02.00", "esp32", True, False, 2.0),
    "P1S": Profile("Bambu Lab P1S", "01.09.00.00", "esp32", True, False, 2.0),
    "X1C": Profile("Bambu Lab X1 Carbon", "01.09.01.00", "rv1126", False, True, 1.0),
    "P2S": Profile("Bambu Lab P2S", "01.01.00.00", "ap", False, True, 1.0),
    "H2D": Profile("Bambu Lab H2D", "01.02.00.00", "ap", False, True, 1.0),
}
