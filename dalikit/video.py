"""Pictures as a film: GIF by Pillow, MP4 by the ffmpeg that imageio-ffmpeg brings, of the extra `video`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dalikit.errors import RunError, UserError
from dalikit.files import whole_or_not

GIF, MP4 = SUFFIXES = (".gif", ".mp4")

HELD = 1.0
"""Seconds for which the last picture stays."""

FASTEST, SLOWEST, SECONDS = 20.0, 2.0, 10.0
"""Pictures a second, at most and at least, of a film of about so many seconds whose speed nobody gave."""

LETTERS, STRIP, INK, PAPER = 18, 30, (20, 20, 20), (255, 255, 255)
"""A caption's size and the height of what it stands on, in pixels; their colours."""


def check_writable(path: Path, loop: bool = True) -> None:
    """Raise `UserError` unless films can be written as the path ends, and played as asked for."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: a film ends in {' or '.join(SUFFIXES)}")
    if path.suffix == MP4:
        if not loop:
            raise UserError(f"--no-loop is for {GIF}: whether {path} is played again is its player's affair")
        try:
            import imageio_ffmpeg  # noqa: F401
        except ImportError:
            raise UserError(
                f"{path}: MP4 is written by imageio-ffmpeg: pip install 'dalikit[video]'"
            ) from None


def speed(count: int) -> float:
    """Pictures a second where nobody says: a film of so many is to last about ten seconds.

    Examples:
        >>> speed(8), speed(60), speed(1000)
        (2.0, 6.0, 20.0)
    """
    return min(FASTEST, max(SLOWEST, count / SECONDS))


def spaced(items: Sequence[Path], most: int) -> list[Path]:
    """At most so many of some files, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def captioned(picture: Image.Image, text: str, size: tuple[int, int]) -> Image.Image:
    """A picture in the middle of one of `size` (W, H) in pixels, and a line of text on a strip below."""
    width, height = size
    sheet = Image.new("RGB", (width, height + STRIP), PAPER)
    sheet.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    font = ImageFont.load_default(LETTERS)
    ImageDraw.Draw(sheet).text((width // 2, height + STRIP // 2), text, INK, font, "mm")
    return sheet


def save(frames: Iterable[Image.Image], path: Path, fps: float, *, loop: bool = True) -> int:
    """Write pictures of one size as a film, whole or not at all; returns how many there were.

    Args:
        frames: the pictures, one at least; MP4 takes them one by one.
        path: ends in .gif or .mp4.
        fps: how many a second; GIF counts in hundredths of a second.
        loop: whether a GIF begins again when it ends.

    Raises:
        UserError: the path ends otherwise, or imageio-ffmpeg is not installed.
        RunError: the file cannot be written.
    """
    check_writable(path, loop)
    counted = _Counted(frames)
    try:
        with whole_or_not(path) as unfinished:
            write = _write_gif if path.suffix == GIF else _write_mp4
            write(_held(counted, fps), unfinished, fps, loop)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None
    return counted.count


class _Counted:
    """Pictures, and how many were taken."""

    def __init__(self, frames: Iterable[Image.Image]) -> None:
        self.frames, self.count = frames, 0

    def __iter__(self) -> Iterator[Image.Image]:
        for frame in self.frames:
            self.count += 1
            yield frame.convert("RGB")


def _held(frames: Iterable[Image.Image], fps: float) -> Iterator[Image.Image]:
    """The pictures, the last one as often again as makes `HELD` seconds."""
    last = None
    for last in frames:
        yield last
    if last is not None:
        yield from repeat(last, round(HELD * fps))


def _write_gif(frames: Iterator[Image.Image], path: Path, fps: float, loop: bool) -> None:
    again = {"loop": 0} if loop else {}  # 0 is for ever
    duration = max(20, 10 * round(100 / fps))  # what is shorter, browsers show for a tenth of a second
    next(frames).save(path, format="GIF", save_all=True, append_images=frames, duration=duration, **again)


def _write_mp4(frames: Iterator[Image.Image], path: Path, fps: float, loop: bool) -> None:
    import imageio_ffmpeg

    first = next(frames)
    # Colours are stored for two by two pixels.
    size = first.width + first.width % 2, first.height + first.height % 2
    writer = imageio_ffmpeg.write_frames(
        path,
        size,
        fps=fps,
        quality=8,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-f", "mp4", "-movflags", "+faststart"],
    )
    writer.send(None)
    try:
        for frame in chain([first], frames):
            sheet = Image.new("RGB", size, PAPER)
            sheet.paste(frame)
            writer.send(sheet.tobytes())
    finally:
        writer.close()
    if not path.is_file() or not path.stat().st_size:
        raise OSError("ffmpeg has written nothing")
