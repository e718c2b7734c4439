"""The command ``medlearn``: doctor, data, progress.

Exit codes: 0 all is well, 1 there is a problem, 2 the command was wrong, 130 interrupted.
"""

import argparse
import io
import os
import sys

import medlearn


def main(arguments=None):
    """Run the command line; return the exit code.

    Parameters
    ----------
    arguments : list of str or None
        None: those of the process.

    Returns
    -------
    int

    Examples
    --------
    >>> main(["data", "list", "--names"])                                      # doctest: +ELLIPSIS
    breast_cytology
    ...
    """
    from medlearn.data.cache import DataUnavailable

    _take_any_sign()
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
        if sys.stdout is not None:  # as it is where the output is closed
            sys.stdout.flush()
        return code
    except DataUnavailable as error:
        return _complain(error, 1)
    except ValueError as error:
        return _complain(error, 2)
    except KeyboardInterrupt:
        return _complain("interrupted; what has arrived is kept, and the same command goes on from there.", 130)
    except BrokenPipeError:  # the reader has gone, as in `medlearn data list | head -1`
        _drop_output()
        return 1
    except OSError as error:  # a folder that may not be looked into, output onto a full disk
        _complain(error, 1)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        return 1


def _take_any_sign():
    """Print a question mark for a sign that the terminal does not have, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_output():
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error, code):
    print(f"medlearn: {error}", file=sys.stderr)
    return code


def _parser():
    parser = argparse.ArgumentParser(prog="medlearn", description="The course medlearn: its data and your progress.")
    parser.add_argument("--version", action="version", version=f"medlearn {medlearn.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    doctor = commands.add_parser("doctor", help="what is here, what is missing, how to get it")
    doctor.set_defaults(run=_doctor)
    progress = commands.add_parser("progress", help="the course at a glance: which exercises are done")
    progress.set_defaults(run=_progress)
    data = commands.add_parser("data", help="list, fetch, verify, find and remove data sets")
    _add_data_commands(data.add_subparsers(metavar="command", required=True))
    return parser


def _add_data_commands(commands):
    show = commands.add_parser("list", help="what there is, and what is in the cache")
    show.add_argument("name", nargs="*", help="show the whole card of these data sets")
    show.add_argument("--names", action="store_true", help="names only, one a line")
    show.set_defaults(run=_list)

    fetch = commands.add_parser("fetch", help="download what is missing")
    fetch.add_argument("name", nargs="+")
    fetch.add_argument("--files", nargs="+", metavar="PATTERN", help="only these files, such as 'dicom/*'")
    fetch.add_argument("--check", action="store_true", help="compare checksums too, and replace what is damaged")
    fetch.add_argument("--archive", action="store_true", help="take the official archive of the whole set")
    fetch.add_argument("--quiet", action="store_true", help="no progress bar")
    fetch.set_defaults(run=_fetch)

    verify = commands.add_parser("verify", help="compare what is in the cache with its checksums")
    verify.add_argument("name", nargs="*", help="default: every data set of which something is in the cache")
    verify.set_defaults(run=_verify)

    where = commands.add_parser("where", help="print the folder of the cache or of a data set")
    where.add_argument("name", nargs="?")
    where.set_defaults(run=_where)

    remove = commands.add_parser("remove", help="delete data sets from the cache")
    remove.add_argument("name", nargs="+")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=_remove)


def _doctor(options):
    from medlearn import doctor

    report = doctor.examine()
    print(report)
    return 1 if report.problems else 0


def _progress(options):
    from medlearn.exercises import progress

    print(str(progress.course_progress()))
    return 0


def _list(options):
    from medlearn.data import cache, catalogue

    cards = [catalogue.card(name) for name in options.name] or [card for _, card in sorted(catalogue.cards().items())]
    if options.names:
        print("\n".join(card.name for card in cards))
        return 0
    if options.name:
        print("\n\n".join(f"{card}\n  {'cache':9}{_state(card)}" for card in cards))
        return 0
    print(f"Cache: {cache.cache_folder()}\n")
    rows = [
        ("name", "in the cache", "size", "licence", "title"),
        *((card.name, _state(card), card.size, card.licence, card.title) for card in cards),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]))
    return 0


def _state(card):
    from medlearn.data import cache

    absent = cache.missing(card)
    if cache.missing_by_hand(card):
        return "no"
    if not absent:
        return "all"
    here = len(card.files) - len(absent)
    state = f"{here} of {len(card.files)} files" if here else "no"
    return state if any(file.urls for file in card.files) else f"{state}, no download"


def _fetch(options):
    from medlearn.data import cache, catalogue, download

    for card in [catalogue.card(name) for name in options.name]:
        folder = download.fetch(
            card, options.files, progress=not options.quiet, check=options.check, archive=options.archive
        )
        print(folder)
        absent = cache.missing(card, options.files)
        if absent:
            print(f"medlearn: {len(absent)} files of {card.name} cannot be downloaded in this form.", file=sys.stderr)
    return 0


def _verify(options):
    from medlearn.data import cache, catalogue

    chosen = [catalogue.card(name) for name in options.name]
    started = [card for card in catalogue.cards().values() if len(cache.missing(card)) < len(card.files)]
    problems = 0
    for card in chosen or started:
        found = cache.verify(card)
        problems += len(found)
        print("\n".join(found) or f"{card.name}: all checksums are right")
    if not (chosen or started):
        print(f"The cache is empty: {cache.cache_folder()}")
    return 1 if problems else 0


def _where(options):
    from medlearn.data import cache, catalogue

    folder = cache.cache_folder()
    print(folder / catalogue.card(options.name).name if options.name else folder)
    return 0


def _remove(options):
    from medlearn.data import cache, catalogue

    for card in [catalogue.card(name) for name in options.name]:
        paths = cache.files_to_remove(card)
        if not paths:
            print(f"{card.name}: nothing in the cache")
            continue
        size = sum(path.lstat().st_size for path in paths) / 1e6
        if not options.yes and not _agreed(f"Delete {len(paths)} files ({size:.1f} MB) of {card.name}? [y/N] "):
            print(f"{card.name}: kept")
            return 1
        print(f"{card.name}: {len(cache.remove(card))} files deleted")
    return 0


def _agreed(question):
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print("\nmedlearn: nobody is here to answer; give --yes.", file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(main())
