"""The table: its cursor stays on its row, its columns fit, and a million rows cost what thirty do."""

import asyncio
import time

import pytest
from textual.app import App, ComposeResult

from tests.variants import first
from tui.rows import Col, ListRows
from tui.rowtable import RowTable

COLUMNS = (
    Col("name", 6),
    Col("state", 8, rank=1),
    Col("人格", 10, grow=1),
    Col("count", 6, "right", rank=2),
)


class Many:
    """Rows that are made when they are asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked = 0

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"r{index}"

    def cells(self, index: int) -> list[str]:
        self.asked += 1
        return [f"r{index}", "running", "無感情なロボット", str(index)]

    def find(self, key: str) -> int | None:
        place = int(key[1:])
        return place if place < self.count else None


def rows(*names: str) -> ListRows:
    return ListRows((name, [name, "running", "詩人", ("1", "bad")]) for name in names)


class Host(App[None]):
    """Nothing but a table."""

    def __init__(self, table: RowTable) -> None:
        super().__init__()
        self.table = table
        self.heard: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    def on_row_table_moved(self, message: RowTable.Moved) -> None:
        self.heard.append(f"moved {message.key}")

    def on_row_table_opened(self, message: RowTable.Opened) -> None:
        self.heard.append(f"opened {message.key}")


def lines(app: App[None]) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def drive(script, made=None, size=(40, 10), empty="") -> Host:
    app = Host(RowTable(COLUMNS, empty=empty))

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            if made is not None:
                app.table.set_rows(made)
            await pilot.pause()
            await script(pilot, app)

    asyncio.run(run())
    return app


def test_columns_line_up_whatever_stands_in_them():
    async def script(pilot, app):
        app.table.set_rows(
            ListRows(
                [
                    ("a", ["a", "x", "大学１年生", "7"]),
                    ("b", ["\x1b[2Jb", "とても長い名前", "[b]x[/]", "12,345,678"]),
                ]
            )
        )
        await pilot.pause()
        assert lines(app)[:3] == [
            "name   state    人格               count",
            "a      x        大学１年生             7",
            "␛[2Jb  とても…  [b]x[/]           12,34…",
        ]

    drive(script)


def test_columns_of_the_highest_rank_go_first_where_there_is_no_room():
    async def script(pilot, app):
        assert lines(app)[0] == "name   state    人格"
        await pilot.resize_terminal(18, 10)
        await pilot.pause()
        assert lines(app)[0] == "name   人格"

    drive(script, rows("a"), size=(30, 10))


def test_the_cursor_stays_on_its_row_when_others_come_before_it():
    async def script(pilot, app):
        await pilot.press("j", "j")
        assert app.table.key == "c"
        app.table.set_rows(rows("x", "y", "a", "b", "c"))
        await pilot.pause()
        assert (app.table.key, app.table.cursor) == ("c", 4)

    drive(script, rows("a", "b", "c"))


def test_the_cursor_stays_in_its_place_when_its_row_goes_away():
    async def script(pilot, app):
        await pilot.press("j")
        app.table.set_rows(rows("a", "c"))
        await pilot.pause()
        assert app.table.key == "c"
        app.table.set_rows(rows("a"))
        app.table.set_rows(rows())
        await pilot.pause()
        assert app.table.key is None

    drive(script, rows("a", "b", "c"))


@pytest.mark.parametrize(
    ("keys", "row"),
    first(
        3,
        [
            ("j j", 2),
            ("down down up", 1),
            ("G", 99),
            ("end", 99),
            ("G g", 0),
            ("home", 0),
            ("pagedown", 8),
            ("pagedown pagedown pageup", 8),
            ("k", 0),
            ("G j", 99),
        ],
    ),
)
def test_every_way_to_move(keys, row):
    async def script(pilot, app):
        await pilot.press(*keys.split())
        await pilot.pause()
        assert app.table.cursor == row
        assert any(f"r{row} " in line for line in lines(app))

    drive(script, Many(100))


def test_enter_and_a_second_click_open_a_row():
    async def script(pilot, app):
        await pilot.press("j", "enter")
        await pilot.click(RowTable, offset=(3, 1))
        await pilot.pause()
        await pilot.click(RowTable, offset=(3, 1))
        await pilot.pause()
        await pilot.click(RowTable, offset=(3, 0))
        await pilot.click(RowTable, offset=(3, 8))
        await pilot.pause()

    heard = drive(script, rows("a", "b")).heard
    assert heard == ["moved a", "moved b", "opened b", "moved a", "opened a"]


def test_nothing_to_show_is_said_and_cannot_be_opened():
    async def script(pilot, app):
        assert lines(app)[1] == "  no batch yet"
        await pilot.press("j", "G", "enter", "pagedown")

    assert drive(script, rows(), empty="no batch yet").heard == []


def test_a_million_rows_are_asked_for_only_where_they_are_seen():
    many = Many(1_000_000)

    async def script(pilot, app):
        await pilot.press("G")
        await pilot.pause()
        assert any("r9999…" in line for line in lines(app))

    drive(script, many)
    assert many.asked < 100


def test_one_changed_row_draws_one_line():
    many = Many(100_000)

    async def script(pilot, app):
        before = many.asked
        app.table.refresh_row(3)
        await pilot.pause()
        assert many.asked - before <= 2
        app.table.refresh_row(50_000)
        await pilot.pause()
        assert many.asked - before <= 2

    drive(script, many, size=(120, 36))


def test_only_rows_that_differ_are_drawn_again():
    drawn: list[int] = []

    async def script(pilot, app):
        refresh = app.table.refresh_row
        app.table.refresh_row = lambda index: (drawn.append(index), refresh(index))
        app.table.update_rows(
            ListRows(
                (n, [n, "ended" if n == "b" else "running", "詩人", ("1", "bad")]) for n in "abc"
            )
        )
        await pilot.pause()
        assert "ended" in lines(app)[2]

    drive(script, rows("a", "b", "c"))
    assert drawn == [1]


@pytest.mark.bench
def test_moving_in_a_hundred_thousand_rows_takes_no_time():
    async def script(pilot, app):
        began = time.process_time()
        for _ in range(20):
            await pilot.press("pagedown")
        assert (time.process_time() - began) / 20 < 0.1

    drive(script, Many(100_000), size=(120, 36))
