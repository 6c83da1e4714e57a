#!/usr/bin/env python3
"""The tables of the README from records of compare.py: each candidate's time divided by posemb's.

    python3 bench/peers/table.py bench/results/peers-MACHINE-DATE.jsonl

Records during which other programs ran have a "?": they mean nothing."""
import json
import sys

FOREIGN_LOAD = 0.05
ROWS = ("cold", "hot")


def read(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                if record["kind"] == "peer":
                    yield record
            except (ValueError, KeyError, TypeError):
                sys.exit(f"{path}:{number}: no record of compare.py")


def candidate(record):
    name = record["candidate"]
    return "the best copy of as many bytes" if name.startswith("copy: ") else name


def column(record):
    batch, length, dim = record["shape"]
    return f"[{batch},{length}]×{dim}, {batch * length * dim / 2**18:.2g} MiB"


def cell(records):
    """"cold / hot", or the one that there is"""
    texts = []
    for rows in ROWS:
        for record in records:
            if record["rows"] == rows:
                mark = "?" if record["foreign_cpus"] > FOREIGN_LOAD else ""
                texts.append(f"{record['ratio_to_posemb']:.2f}{mark}")
    return " / ".join(texts) or "–"


def print_table(title, records):
    names = list(dict.fromkeys(candidate(r) for r in records if r["candidate"] != "posemb"))
    columns = list(dict.fromkeys(map(column, records)))
    print(f"{title}\n\n| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for name in names:
        cells = (cell([r for r in records if candidate(r) == name and column(r) == c]) for c in columns)
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tables = {}
    for record in read(sys.argv[1]):
        title = (f"{record['stage']}, {record['cpu']}, threads: {record['threads']}, malloc: "
                 f"{record.get('malloc', 'defaults')}, samples: {record['repeats']}, {record['date']}")
        tables.setdefault(title, []).append(record)
    for title, records in tables.items():
        print_table(title, records)


if __name__ == "__main__":
    main()
