"""Makes the rows of this example: `python examples/recommendation/rows.py > examples/recommendation/configmap.yaml`.

Sixty customers have said of some of forty films whether they liked them; which of the others would they like? The same
numbers come out each time, and the older a customer, the more they like long and quiet films.
"""

import random

GENRES = {"comedy": 0.4, "crime": 0.1, "documentary": -0.6, "drama": -0.2, "fantasy": 0.3, "thriller": 0.0}
REGIONS = ("north", "south", "west")
COLUMNS = "customer,film,age,region,evenings,genre,minutes,year"
INDENT = "    "


def main() -> None:
    """Writes the ConfigMap."""
    source = random.Random(7)
    customers = [
        (number, source.randint(16, 79), source.choice(REGIONS), round(source.random(), 2)) for number in range(1, 61)
    ]
    films = [
        (f"f{number:02d}", source.choice(sorted(GENRES)), source.randint(75, 190), source.randint(1960, 2025))
        for number in range(1, 41)
    ]
    seen, unseen = [], []
    for customer, age, region, evenings in customers:
        for film, genre, minutes, year in films:
            row = f"{customer},{film},{age},{region},{evenings},{genre},{minutes},{year}"
            years = (age - 45) / 20
            taste = years * (minutes - 130) / 30 - 2 * years * GENRES[genre] + 2 * evenings + source.gauss(0, 0.5)
            if source.random() < 0.5:
                seen.append(f"{row},{str(taste > 1).lower()}")
            else:
                unseen.append(row)
    print("# Made by rows.py: what sixty customers liked, and the films that they have not seen yet.")
    print("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: films\ndata:")
    for name, header, rows in (("seen", f"{COLUMNS},liked", seen), ("unseen", COLUMNS, unseen)):
        print(f"  {name}.csv: |")
        for line in (header, *rows):
            print(INDENT + line)


if __name__ == "__main__":
    main()
