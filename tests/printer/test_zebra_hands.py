"""What people and commands do to a Zebra: power, cancel, feed; firmware that differs; alerts."""

from __future__ import annotations

from tests.printer.bench import Bench, label

TEN = b"".join(label(f"S{n}") for n in range(1, 11))


def test_off_and_on_loses_the_buffer_and_the_uptime_but_not_the_odometer() -> None:
    # Scenario 9: three are out, the fourth was in motion, the rest is lost.
    bench = Bench.make()
    bench.send(TEN)
    bench.wait(3.5)
    bench.zebra.power_off()
    assert bench.send(b"~HI") == b""
    bench.wait(100)
    bench.zebra.power_on()
    bench.wait(20)
    assert bench.serials == ["S1", "S2", "S3", "½S4"]
    assert bench.odometer == 1003
    assert bench.getvar("device.uptime") == b'"00 days 00 hours 00 mins 20 secs"'
    assert bench.send(b"~HS").count(b",000,") == 2  # nothing waits, nothing is half there


def test_off_and_on_drops_half_a_format_and_a_pause_but_not_an_empty_roll() -> None:
    bench = Bench.make()
    bench.strike("paused")
    bench.strike("paper_out")
    bench.send(b"^XA^FDhalf")
    bench.zebra.power_cycle()
    assert not bench.zebra.is_partial
    assert bench.send(b"~HS") == b""
    assert b"1 00000000 00000001" in bench.send(b"~HQES")


def test_power_on_reset_by_command() -> None:
    bench = Bench.make()
    bench.wait(100)
    bench.send(label("A") + label("B") + b"~JR~HS")
    bench.wait(5)
    assert bench.serials == ["½A"]
    assert bench.getvar("device.uptime") == b'"00 days 00 hours 00 mins 05 secs"'


def test_cancel_all_stops_after_the_label_in_motion_and_keeps_what_comes_later() -> None:
    bench = Bench.make()
    bench.send(label("A", "^PQ50") + label("B") + b"^XA^FDhalf~JA" + label("C"))
    bench.wait(20)
    assert bench.serials == ["A", "C"]
    assert not bench.zebra.is_partial


def test_cancel_all_in_a_fault_leaves_nothing() -> None:
    bench = Bench.make()
    bench.strike("paper_out", after_labels=1)
    bench.send(TEN)
    bench.wait(5)
    bench.send(b"~JA")
    bench.zebra.load()
    bench.wait(20)
    assert bench.serials == ["S1"]
    assert bench.send(b"~HS").count(b",00000000,") == 1


def test_cancel_one_and_pause_and_go_on() -> None:
    bench = Bench.make()
    bench.send(label("A") + label("B") + label("C") + b"~PP")
    bench.wait(5)
    assert bench.serials == ["A"]
    bench.send(b"~JP~PS")
    bench.wait(5)
    assert bench.serials == ["A", "C"]
    bench.send(b"^XA^FDhalf~JX^FS^XZ" + label("D"))
    bench.wait(5)
    assert bench.serials == ["A", "C", "D"]


def test_feed_and_calibration_come_out_blank_and_are_counted() -> None:
    # Scenario 19: three feeds while a job is confirmed.
    bench = Bench.make()
    bench.send(label("A"))
    bench.zebra.feed(3)
    bench.wait(1)
    assert (bench.serials, bench.odometer) == (["A", "", "", ""], 1004)
    bench.send(b"~JC")
    assert bench.odometer == 1006
    bench.send(b"~PH^XA^PH^XZ")
    assert bench.odometer == 1008
    bench.strike("paper_out")
    bench.zebra.feed()
    assert len(bench.serials) == 8


def test_a_firmware_whose_odometer_leaves_out_feeds_as_the_guide_has_it() -> None:
    bench = Bench.make(feed_counts=False)
    bench.send(label("A"))
    bench.wait(1)
    bench.zebra.feed(3)
    assert (len(bench.serials), bench.odometer) == (4, 1001)


def test_the_lid_is_counted_and_a_power_cycle_does_not_change_that() -> None:
    name = "odometer.latch_open_count"
    bench = Bench.make()
    assert bench.getvar(name) == b'"0"'
    bench.strike("head_open")
    bench.strike("head_open")
    bench.zebra.clear()
    bench.strike("head_open")
    bench.zebra.power_cycle()
    assert bench.getvar(name) == b'"2"'
    assert Bench.make(counts_openings=False).getvar(name) == b'"?"'


def test_a_counter_that_lags_behind_the_paper() -> None:
    bench = Bench.make(counter_lag_s=2.0)
    bench.send(label("A"))
    bench.wait(1)
    assert (bench.serials, bench.odometer) == (["A"], 1000)
    bench.wait(2.1)
    assert bench.odometer == 1001


def test_a_firmware_that_leaves_the_label_in_motion_out_of_the_remaining_ones() -> None:
    bench = Bench.make(remaining_without_current=True)
    bench.send(label("A"))
    assert b",00000000," in bench.send(b"~HS")
    assert bench.serials == []
    bench.wait(1)
    assert bench.serials == ["A"]


def test_a_full_buffer() -> None:
    bench = Bench.make(buffer_bytes=100)
    bench.strike("paper_out")
    bench.zebra.spec.hs_talks_in_fault = True
    bench.send(TEN)
    assert b",010,1,0,0,000," in bench.send(b"~HS")
    assert not bench.zebra.mechanism.has_room
    bench.zebra.load()
    bench.wait(20)
    assert bench.zebra.mechanism.has_room


# -- injection: the fake shows what a bad escaper does --------------------------------------------


def test_data_that_was_not_escaped_becomes_a_second_label() -> None:
    bench = Bench.make()
    bench.send(label("ABC^XZ^XA^FO1,1^FDEVIL^FS^XZ"))
    bench.wait(5)
    assert bench.serials == ["ABC", "EVIL"]


def test_a_control_command_in_data_that_was_not_escaped_acts() -> None:
    bench = Bench.make()
    bench.send(label("A") + label("B") + label("x~JAy"))
    bench.wait(5)
    assert bench.serials == ["A"]
    assert Bench.make().send(label("_7EHS")) == b""


# -- alerts ---------------------------------------------------------------------------------------


def alerts(bench: Bench) -> list[str]:
    found: list[str] = []
    bench.zebra.on_alert = lambda host, port, line: found.append(line.decode())
    return found


def test_alerts_in_english() -> None:
    bench = Bench.make()
    found = alerts(bench)
    bench.send(b'! U1 setvar "alerts.add" "ALL MESSAGES,TCP,Y,Y,127.0.0.1,9999,N,"\r\n')
    assert bench.getvar("alerts.configured") == b'"ALL MESSAGES,TCP,Y,Y,127.0.0.1,9999,N,"'
    bench.send(label("A", "^PQ2"))
    bench.wait(2)
    bench.strike("head_open")
    bench.zebra.clear()
    bench.strike("paused")
    bench.zebra.clear()
    stamp = "[2026-11-21 08:00:02] [XXZKJ181100602]\r\n"
    assert found == [
        f"ALERT: PQ JOB COMPLETED {stamp}",
        f"ERROR CONDITION: HEAD OPEN {stamp}",
        f"ERROR CLEARED: HEAD OPEN {stamp}",
        f"ALERT: PRINTER PAUSED {stamp}",
        f"ALERT CLEARED: PRINTER PAUSED {stamp}",
    ]


def test_only_the_end_of_a_condition() -> None:
    bench = Bench.make()
    found = alerts(bench)
    bench.send(b'! U1 setvar "alerts.add" "HEAD OPEN,TCP,N,Y,127.0.0.1,9999,N,"\r\n')
    bench.strike("head_open")
    assert found == []
    bench.zebra.clear()
    assert [message.partition(" [")[0] for message in found] == ["ERROR CLEARED: HEAD OPEN"]


def test_alerts_in_the_language_of_the_display_and_only_those_asked_for() -> None:
    bench = Bench.make(display_language="japanese")
    found = alerts(bench)
    bench.send(b"^XA^SXK,D,Y,N,127.0.0.1,9999^XZ")
    bench.send(label("A"))
    bench.wait(1)
    bench.strike("head_open")
    assert found == ["アラート: ジョブ完了 [2026-11-21 08:00:01] [XXZKJ181100602]\r\n"]
    bench.send(b'! U1 setvar "alerts.configured" ""\r\n')
    bench.zebra.clear()
    bench.send(label("B"))
    bench.wait(1)
    assert len(found) == 1
