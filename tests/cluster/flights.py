"""Flights that never flew: the same rows for the same number, with a target that can be learnt from the features."""

import csv
import io
import random
from collections.abc import Mapping
from dataclasses import dataclass

CARRIERS = {"AA": -0.4, "B6": 0.5, "DL": -0.6, "EV": 0.9, "UA": 0.1, "WN": 0.3}
ORIGINS = {"EWR": 0.3, "JFK": 0.0, "LGA": -0.1}
COLUMNS = ("flight", "carrier", "origin", "hour", "distance", "temp", "arr_delay")
TYPES = {"carrier": "string", "origin": "string", "hour": "integer", "distance": "number", "temp": "number"}
"""The features, and what they are."""

Row = dict[str, object]


@dataclass(frozen=True)
class Season:
    """How warm it is, in degrees Fahrenheit, and what makes flights late: the carrier, and each hour past one."""

    temp: float
    spread: float
    carriers: Mapping[str, float]
    hour: float


USUAL = Season(temp=55, spread=18, carriers=CARRIERS, hour=0.2)
FROST = Season(temp=12, spread=8, carriers={name: -strain for name, strain in CARRIERS.items()}, hour=-0.2)
"""It is far colder, and who used to be late is on time: a model that knows the usual days only is wrong on most."""


def rows(count: int, seed: int = 2013, season: Season = USUAL) -> list[Row]:
    """`count` flights; about a third are more than 15 minutes late, and one in twenty has no temperature."""
    source = random.Random(seed)
    return [row(number, source, season) for number in range(count)]


def row(number: int, source: random.Random, season: Season = USUAL) -> Row:
    """One flight, of the next numbers of the source."""
    carrier, origin = source.choice(list(CARRIERS)), source.choice(list(ORIGINS))
    hour, distance = source.randint(5, 23), float(source.randint(100, 2600))
    temp = None if source.random() < 0.05 else round(source.gauss(season.temp, season.spread), 1)
    cold = 0.0 if temp is None else max(0.0, 40 - temp) / 40
    strain = season.carriers[carrier] + ORIGINS[origin] + (hour - 13) * season.hour + cold + source.gauss(0, 0.6)
    made: Row = {"flight": number, "carrier": carrier, "origin": origin, "hour": hour, "distance": distance}
    return {**made, "temp": temp, "arr_delay": round(12 * strain + 8)}


def csv_bytes(flights: list[Row]) -> bytes:
    """The rows as CSV with a header; an empty cell is a missing value."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flights)
    return text.getvalue().encode()


def features(flight: Row) -> Row:
    """What a client sends: the raw columns that the model reads."""
    return {name: flight[name] for name in TYPES}
