"""Flights that never flew: the same rows for the same number, with a target that can be learnt from the features."""

import csv
import io
import random

CARRIERS = {"AA": -0.4, "B6": 0.5, "DL": -0.6, "EV": 0.9, "UA": 0.1, "WN": 0.3}
ORIGINS = {"EWR": 0.3, "JFK": 0.0, "LGA": -0.1}
COLUMNS = ("flight", "carrier", "origin", "hour", "distance", "temp", "arr_delay")
TYPES = {"carrier": "string", "origin": "string", "hour": "integer", "distance": "number", "temp": "number"}
"""The features, and what they are."""

Row = dict[str, object]


def rows(count: int, seed: int = 2013) -> list[Row]:
    """`count` flights; about a third are more than 15 minutes late, and one in twenty has no temperature."""
    source = random.Random(seed)
    made: list[Row] = []
    for number in range(count):
        carrier, origin = source.choice(list(CARRIERS)), source.choice(list(ORIGINS))
        hour, distance = source.randint(5, 23), float(source.randint(100, 2600))
        temp = None if source.random() < 0.05 else round(source.gauss(55, 18), 1)
        cold = 0.0 if temp is None else max(0.0, 40 - temp) / 40
        strain = CARRIERS[carrier] + ORIGINS[origin] + (hour - 13) / 5 + cold + source.gauss(0, 0.6)
        row: Row = {"flight": number, "carrier": carrier, "origin": origin, "hour": hour, "distance": distance}
        made.append({**row, "temp": temp, "arr_delay": round(12 * strain + 8)})
    return made


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
