"""What the person sees while a stack starts."""

import io

from rich.console import Console

from claw_dev.parts import Part
from claw_dev.picture import LivePicture, PlainPicture, picture_for
from claw_dev.progress import PartProgress, Progress


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100, color_system=None), written


def test_a_pipe_gets_one_line_for_each_change() -> None:
    plain, written = console(terminal=False)
    picture = picture_for(plain)
    progress = Progress([Part.MAIL], picture.changed, clock=iter([1.0, 1.5]).__next__)

    with picture.showing(progress):
        progress.starting(Part.MAIL, "")
        progress.ready(Part.MAIL, "smtp://127.0.0.1:2525")
        progress.stopped(Part.MAIL)

    assert type(picture) is PlainPicture
    assert written.getvalue().splitlines() == ["mail starting", "mail ready (0.5 s): smtp://127.0.0.1:2525"]


def test_an_address_with_brackets_is_printed_as_it_is() -> None:
    plain, written = console(terminal=False)

    PlainPicture(plain).changed(failed("cannot listen on [::1]:25 [bold]"))

    assert "cannot listen on [::1]:25 [bold]" in written.getvalue()


def test_a_terminal_gets_a_table_that_ends_with_the_last_state() -> None:
    terminal, written = console(terminal=True)
    picture = picture_for(terminal)
    progress = Progress([Part.MAIL, Part.STRIPE], picture.changed)

    with picture.showing(progress):
        progress.starting(Part.MAIL, "")
        progress.ready(Part.MAIL, "smtp://127.0.0.1:2525")

    assert isinstance(picture, LivePicture)
    last_frame = written.getvalue().rpartition("mail")[2]
    assert "ready" in last_frame
    assert "smtp://127.0.0.1:2525" in last_frame
    assert "stripe" in last_frame


def test_a_terminal_gets_a_line_when_something_changes_after_the_start() -> None:
    terminal, written = console(terminal=True)
    picture = picture_for(terminal)
    progress = Progress([Part.MAIL], picture.changed)
    with picture.showing(progress):
        pass

    progress.failed(Part.MAIL, "ended by itself")

    assert written.getvalue().endswith("mail failed: ended by itself\n")


def failed(note: str) -> PartProgress:
    progress = Progress([Part.MAIL])
    progress.failed(Part.MAIL, note)
    return progress[Part.MAIL]
