"""Whatever happens to a printer, its paper and its counter agree: a random walk over all of it."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.printer.bench import Bench, label

CONDITIONS = ("paper_out", "ribbon_out", "head_open", "over_temp", "paused")


class PrinterWalk(RuleBasedStateMachine):
    """Serials are never sent twice. The model knows only what a bystander could know."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench.make()
        self.reprints = True
        self.sent: dict[str, tuple[int, bool]] = {}  # copies, printed again when spoiled
        self.cut_short = 0  # labels in motion when the power went
        self.lost: set[str] = set()  # sent, and perhaps lost by power or cancel

    @rule(copies=st.integers(1, 3), distinct=st.integers(1, 4))
    def send(self, copies: int, distinct: int) -> None:
        for _ in range(distinct):
            serial = f"S{len(self.sent)}"
            if self.bench.zebra.mechanism.powered:
                self.sent[serial] = (copies, self.reprints)
            self.bench.send(label(serial, f"^PQ{copies}"))

    @rule(reprints=st.booleans())
    def set_reprint(self, reprints: bool) -> None:
        self.bench.send(b"^XA^JZY^XZ" if reprints else b"^XA^JZN^XZ")
        if self.bench.zebra.mechanism.powered:
            self.reprints = reprints

    @rule(seconds=st.sampled_from((0.3, 0.5, 1.0, 2.5, 30.0)))
    def wait(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @rule(
        fault=st.sampled_from(CONDITIONS),
        after_labels=st.integers(0, 3),
        after_s=st.sampled_from((0.0, 0.7, 3.0)),
        mid_label=st.sampled_from((None, True, False)),
        lasts_s=st.sampled_from((None, 2.0)),
    )
    def strike(
        self,
        fault: str,
        after_labels: int,
        after_s: float,
        mid_label: bool | None,
        lasts_s: float | None,
    ) -> None:
        options = {"mid_label": mid_label, "lasts_s": lasts_s}
        given = {name: value for name, value in options.items() if value is not None}
        self.bench.strike(fault, after_labels=after_labels, after_s=after_s, **given)

    @rule()
    def mend(self) -> None:
        self.bench.zebra.clear()

    @rule(times=st.integers(1, 2))
    def feed(self, times: int) -> None:
        self.bench.zebra.feed(times)

    @rule()
    def cancel(self) -> None:
        self.bench.send(b"~JA")
        self.lost |= set(self.sent)

    @rule()
    def power_off(self) -> None:
        mechanism = self.bench.zebra.mechanism
        mechanism.advance()
        self.cut_short += mechanism.is_moving
        self.bench.zebra.power_off()
        self.lost |= set(self.sent)
        self.reprints = True

    @precondition(lambda self: not self.bench.zebra.mechanism.powered)
    @rule()
    def power_on(self) -> None:
        self.bench.zebra.power_on()

    @invariant()
    def the_counter_counts_the_paper(self) -> None:
        mechanism = self.bench.zebra.mechanism
        mechanism.advance()
        assert mechanism.odometer - 1000 == len(self.bench.serials) - self.cut_short

    @invariant()
    def no_serial_comes_out_more_often_than_asked_unless_a_spoiled_one_is_printed_again(
        self,
    ) -> None:
        whole = Counter(s for s in self.bench.serials if s and not s.startswith("½"))
        spoiled = Counter(s[1:] for s in self.bench.serials if s.startswith("½"))
        for serial, (copies, reprints) in self.sent.items():
            assert whole[serial] <= copies
            if not reprints:
                assert whole[serial] + spoiled[serial] <= copies

    @invariant()
    def what_is_idle_and_was_not_lost_is_all_on_the_paper(self) -> None:
        mechanism = self.bench.zebra.mechanism
        if mechanism.remaining or mechanism.formats:
            return
        whole = Counter(s.removeprefix("½") for s in self.bench.serials)
        for serial, (copies, _) in self.sent.items():
            if serial not in self.lost:
                assert whole[serial] >= copies


PrinterWalk.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPrinterWalk = PrinterWalk.TestCase
