"""The command `selfloop`: so far `selfloop check PLUGIN`."""

import argparse
import json
import sys

from selfloop.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0, 1 (a plug-in is wrong) or 2 (a mistake in the call)."""
    arguments = _parser().parse_args(argv)
    try:
        return _check(arguments)
    except UserError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2


def _check(arguments) -> int:
    """Print one line per check; 1 if any is wrong."""
    from selfloop.check import check_plugin

    params = _json(arguments.params, "--params")
    sampling = _json(arguments.sampling, "--sampling")
    wrong = 0
    for good, text in check_plugin(arguments.plugin, arguments.kind, params, sampling, arguments.shape):
        print(f"{'ok   ' if good else 'WRONG'} {text}", flush=True)
        wrong += not good
    return int(wrong > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="selfloop", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="try a plug-in on made-up data",
        description="Try a plug-in of any kind on made-up data, on the CPU: one line per check, ok or WRONG. "
        "Exit status 0 if all is well, 1 if anything is wrong, 2 for a mistake in the call.",
        epilog="""selfloop check my_rule.py --params '{"tau0": 2.0}'""",
    )
    check.add_argument("plugin", metavar="PLUGIN", help="the file")
    check.add_argument("--kind", choices=("dataset", "generator", "embedder", "selector"), help="default: guessed")
    check.add_argument("--params", default="{}", metavar="JSON", help="its parameters, as in the config")
    check.add_argument("--sampling", default="{}", metavar="JSON", help="a generator's sampling.params")
    check.add_argument("--shape", default="1x8x8", type=_shape, help="of made-up images, CxHxW (default: %(default)s)")
    return parser


def _json(text: str, option: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{option}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{option}: {text} is not a JSON object; write e.g. '{{\"size\": 32}}'")
    return value


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not CxHxW, for example 3x32x32")
    return tuple(int(part) for part in parts)
