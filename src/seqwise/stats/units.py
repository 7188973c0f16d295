"""Units as they stand in the names of columns: "height [cm]" and "height (cm)" are height, in cm.

Square brackets hold a unit whatever stands in them; round ones only where it reads like one, as "score (2019)" and
"income (adjusted)" have none. Left out: conversion of any unit into another.
"""

import re

NAMES = (
    "m cm mm km um µm μm nm in ft yd mi m2 m² m3 m³ cm2 cm² cm3 cm³ ha deg ° rad",
    "g kg mg ug µg μg t lb oz mol mmol µmol nmol M mM L l mL ml dL dl IU U ppm ppb % ‰",
    "s ms us µs min h hr d day days week weeks month months year years yr a Hz kHz MHz GHz rpm bpm mph kph",
    "V mV kV A mA W kW MW kWh MWh J kJ MJ N kN Pa kPa hPa MPa bar mbar psi atm mmHg dB lx lm cd °C °F K C F",
    "USD EUR GBP JPY CHF $ € £ ¥ points pts px B kB MB GB TB bit bits",
)
KNOWN = frozenset(unit for line in NAMES for unit in line.split())

_SQUARE = re.compile(r"^(.*\S)\s*\[([^\[\]]{1,16})\]\s*$")
_ROUND = re.compile(r"^(.*\S)\s*\(([^()]{1,16})\)\s*$")
_JOINT = re.compile(r"[/·*]|\^?-?\d\b")


def quantity(name: str) -> tuple[str, str]:
    """What is measured, and in which unit; empty where the name tells none."""
    if found := _SQUARE.match(name):
        return found[1], found[2].strip()
    if (found := _ROUND.match(name)) and _is_unit(found[2].strip()):
        return found[1], found[2].strip()
    return name, ""


def _is_unit(text: str) -> bool:
    """Known units, or such multiplied, divided and raised."""
    parts = [part for part in _JOINT.split(text) if part]
    return text in KNOWN or (bool(parts) and all(part in KNOWN for part in parts))
