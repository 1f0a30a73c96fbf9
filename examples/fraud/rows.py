"""Makes the rows of this example: `python examples/fraud/rows.py > examples/fraud/configmap.yaml`.

Card payments, of which about one in fifty is a fraud. `--days 2` writes a second day beside the first, in which thieves
have found another way: the new data that a model has to learn from. The same numbers come out each time.
"""

import argparse
import random
from collections.abc import Iterator

MERCHANTS = ("electronics", "fuel", "groceries", "jewellery", "restaurant", "travel")
COLUMNS = "payment,amount,hour,merchant,card_present,abroad,minutes_since_last,fraud"
A_DAY = 3500
INDENT = "    "


def main() -> None:
    """Writes the ConfigMap."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=1, help="how many days of payments (%(default)s)")
    days = parser.parse_args().days
    print("# Made by rows.py: card payments, of which about one in fifty is a fraud.")
    print("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: payments\ndata:\n  payments.csv: |")
    print(INDENT + COLUMNS)
    for day in range(days):
        for row in payments(day):
            print(INDENT + row)


def payments(day: int) -> Iterator[str]:
    """One day's lines."""
    source = random.Random(day)
    for number in range(day * A_DAY, (day + 1) * A_DAY):
        fraud = source.random() < 0.02
        yield f"{number},{_thief(source, day) if fraud else _owner(source)},{str(fraud).lower()}"


def _owner(source: random.Random) -> str:
    """Who pays with a card of their own: by day, mostly at the till."""
    amount, hour = round(source.lognormvariate(3.2, 0.9), 2), min(23, max(0, round(source.gauss(14, 4))))
    return _row(source, amount, hour, source.choice(MERCHANTS), present=0.8, abroad=0.05, minutes=600)


def _thief(source: random.Random, day: int) -> str:
    """The first day by night, abroad, for what is dear; from the second on for little, in one shop after the other."""
    if day == 0:
        amount, hour = round(source.lognormvariate(5.4, 0.7), 2), source.choice((22, 23, 0, 1, 2, 3, 4))
        return _row(source, amount, hour, source.choice(("electronics", "jewellery")), 0.1, 0.6, minutes=60)
    amount, hour = round(source.uniform(1, 9), 2), source.randint(8, 20)
    return _row(source, amount, hour, source.choice(("fuel", "groceries")), present=0.1, abroad=0.1, minutes=4)


def _row(
    source: random.Random, amount: float, hour: int, merchant: str, present: float, abroad: float, minutes: float
) -> str:
    at_the_till, away = (str(source.random() < share).lower() for share in (present, abroad))
    return f"{amount},{hour},{merchant},{at_the_till},{away},{round(source.expovariate(1 / minutes))}"


if __name__ == "__main__":
    main()
