import ast
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.internal import api_implementation

from extproc.telemetry import otlp_messages
from extproc.telemetry.otlp_messages import AnyValue, ArrayValue, Span, Status
from extproc.telemetry.otlp_schema import ENUMS, MESSAGES, message_classes

PYTHON = {"bool": "bool", "bytes": "bytes", "fixed32": "int", "fixed64": "int", "int64": "int", "string": "str"}
PYTHON |= dict.fromkeys(ENUMS, "int")

Class = tuple[dict[str, str], dict[str, str], list[str]]
"""The attributes and the constructor's arguments with their types, and the constants."""


def stub() -> dict[str, Class]:
    return dict(_classes(ast.parse(Path(otlp_messages.__file__).with_suffix(".pyi").read_text()), ""))


def _classes(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Class]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            name = prefix + child.name
            declared = {
                ast.unparse(item.target): ast.unparse(item.annotation)
                for item in child.body
                if isinstance(item, ast.AnnAssign)
            }
            constants = [key for key, type_ in declared.items() if type_ == "ClassVar[int]"]
            attributes = {key: type_ for key, type_ in declared.items() if key not in constants}
            (constructor,) = (item for item in child.body if isinstance(item, ast.FunctionDef))
            arguments = {item.arg: ast.unparse(item.annotation or item) for item in constructor.args.kwonlyargs}
            yield name, (attributes, arguments, constants)
            yield from _classes(child, f"{name}.")


def described() -> dict[str, Class]:
    expected: dict[str, Class] = {}
    for message, fields in MESSAGES.items():
        attributes, arguments = {}, {}
        for kind, name, _ in fields:
            plain = kind.removeprefix("repeated ")
            type_ = PYTHON.get(plain, plain)
            repeated = plain != kind
            attributes[name] = f"RepeatedCompositeFieldContainer[{type_}]" if repeated else type_
            arguments[name] = f"Iterable[{type_}]" if repeated else type_
        constants = [value for path, values in ENUMS.items() if path.startswith(f"{message}.") for value in values]
        expected[message] = attributes, arguments, constants
    return expected


def test_the_stub_says_what_the_schema_describes() -> None:
    assert stub() == described()


def test_every_message_that_is_not_nested_has_its_name_in_the_module() -> None:
    names = {name for name, value in vars(otlp_messages).items() if hasattr(value, "DESCRIPTOR")}
    assert names == {name for name in MESSAGES if "." not in name}


def test_the_constants_of_an_enum_are_its_messages() -> None:
    assert (Span.SPAN_KIND_INTERNAL, Status.STATUS_CODE_ERROR) == (1, 2)


def test_a_value_holds_one_thing_even_where_it_is_empty() -> None:
    value = AnyValue(string_value="text", int_value=0)
    assert (value.WhichOneof("value"), value.string_value) == ("int_value", "")
    value.array_value.values.add(bool_value=False)
    assert value == AnyValue(array_value=ArrayValue(values=[AnyValue(bool_value=False)]))


def test_the_classes_are_made_of_c_and_clash_with_none_made_before() -> None:
    again = message_classes()
    assert (api_implementation.Type(), again["Span"] is Span) == ("upb", False)
    assert again["Span"].FromString(Span(name="n").SerializeToString()).SerializeToString() == b"*\x01n"
