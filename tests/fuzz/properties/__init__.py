"""Every target by name: `make fuzz` runs each for its share of the time, the tests each for a moment."""

from fuzz.properties import bodies, forms, texts
from fuzz.properties.target import Target

TARGETS: dict[str, Target] = {**forms.TARGETS, **texts.TARGETS, **bodies.TARGETS}
