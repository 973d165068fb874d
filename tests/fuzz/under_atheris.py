"""One target under Atheris: `python -m fuzz.under_atheris NAME [LIBFUZZER OPTIONS]`."""

import sys

import atheris

with atheris.instrument_imports(
    include=["extproc.core", "multipart", "python_multipart", "werkzeug.sansio", "django.http.multipartparser"]
):
    from fuzz.properties import TARGETS
    from fuzz.properties.target import unfolded


def main() -> None:
    """Fuzz until the options say enough, or until the property does not hold.  Never returns."""
    target = TARGETS[sys.argv.pop(1)]

    def check(data: bytes) -> None:
        try:
            target.check(unfolded(data, target.tokens))
        except BaseException:
            print("find:", unfolded(data, target.tokens), file=sys.stderr)  # noqa: T201 - Atheris shows none
            raise

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
