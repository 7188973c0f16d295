import pytest

from seqwise.stats.units import quantity


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("height [cm]", ("height", "cm")),
        ("height (cm)", ("height", "cm")),
        ("speed (km/h)", ("speed", "km/h")),
        ("acceleration (m/s^2)", ("acceleration", "m/s^2")),
        ("flow[l·min-1]", ("flow", "l·min-1")),
        ("price ($)", ("price", "$")),
        ("strange [furlongs]", ("strange", "furlongs")),
        ("score (2019)", ("score (2019)", "")),
        ("income (adjusted)", ("income (adjusted)", "")),
        ("x", ("x", "")),
        ("(cm)", ("(cm)", "")),
        ("[cm]", ("[cm]", "")),
        ("", ("", "")),
        ("a [b] c", ("a [b] c", "")),
    ],
)
def test_the_unit_stands_in_brackets_at_the_end(name, found):
    assert quantity(name) == found
