"""Nouns beside their number, as people read them."""


def plural(number: int, noun: str, several: str = "") -> str:
    """`noun` as it is said of `number`; `several` is its plural where that is not made with an s."""
    return noun if number == 1 else several or f"{noun}s"


def counted(number: int, noun: str) -> str:
    """ "1 object", "2 objects"."""
    return f"{number} {plural(number, noun)}"
