"""Words: stems, groups of words that mean much the same, and words that mean nothing here."""

from __future__ import annotations

import re
from functools import lru_cache

STOP = frozenset(
    """a an the this that these those it its he she they them his her their i you we me my your our us mine
    is are was were be been being am do does did doing done have has had having will would shall should can could may
    might must not no nor and or but if then else so as at by for from in into of off on onto out over to up with
    without within about after before between during through until than too very just only also both each all any
    every some such same other another more most much many few less least own again once here there when where why how
    what which who whom whose please thanks thank hello hi hey ok okay yes well let's lets i'm i'd i'll what's who's
    it's that's there's now right like want need know tell give show get got take make made see say using use via
    per e.g eg i.e etc""".split()
)
"""Words that say nothing about which tool is meant."""

VERBS = frozenset(
    """add answer ask book buy calculate call cancel change check compare compute convert count create delete describe
    divide double draw evaluate explain fetch find forecast generate give go help how inform list load look lookup
    multiply name open order plan predict print provide put read recommend remind remove report reserve roll run
    save search send set show solve sort start stop subtract sum summarise summarize take tell translate turn update
    write pick choose weather temperature flights files news time date today tomorrow yesterday next last first this
    can could would should will does did is are was were do has have had may might must shall let given suppose
    assume imagine good morning evening afternoon night dear sorry maybe perhaps use using make play get see quick
    quickly currently total sum average in on at for from to with and or but if then what which who when where why
    also finally after before once now it there here hello hi hey please thanks thank yes no ok okay i we you they
    he she my our your the a an all each every both one two three four five six seven eight nine ten""".split()
)
"""Words that may begin a sentence with a capital without being a name."""

GENERIC = frozenset("get fetch do run call make tool function current give show take use returns return".split())
"""Words in the names and descriptions of tools that tell nothing."""

_GROUPS = (
    (
        "weather forecast rain rains raining rainy sun sunny snow snowing temperature temperatures umbrella hot cold "
        "warm warmer colder climate wind windy humid humidity cloudy storm degrees"
    ),
    "day days week weekend today tomorrow tonight weekly daily",
    "list ls dir listing entries",
    "folder directory dir folders directories",
    "file files document documents",
    "read open content contents says say cat view reads",
    "search find grep mention mentions mentioned mentioning contain contains containing locate look lookup",
    "calculate calculator compute evaluate math maths mathematical arithmetic expression calculation",
    "add plus sum addition total adds",
    "subtract minus difference subtraction subtracts",
    "multiply times product multiplied multiplication multiplies",
    "divide divided quotient division ratio divides",
    "power exponent squared cubed raise",
    "convert conversion exchange converts",
    "currency currencies money usd eur gbp jpy dollars euros pounds yen",
    "translate translation translates",
    "send email mail message sends",
    "time clock o'clock hour",
    "price cost costs quote expensive cheap prices",
    "stock share shares stocks ticker",
    "book reserve booking reservation reservations",
    "delete remove erase",
    "create new make write save",
    "flight flights fly plane airline",
    "hotel hotels room rooms accommodation",
    "restaurant restaurants eat dinner lunch",
    "remind reminder reminders remember",
    "summarise summarize summary",
    "distance far kilometres kilometers miles",
    "population inhabitants people",
    "dice die roll rolls",
    "customer client user person",
    "refund refunds refunded reimburse reimbursement",
    "calendar event events appointment appointments meeting meetings schedule agenda",
)


@lru_cache(maxsize=4_096)
def stem(word: str) -> str:
    """A word without its endings: `files` and `file`, `multiplied` and `multiply` come out the same."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    for ending, instead in (
        ("ies", "y"),
        ("ied", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("ed", ""),
        ("es", "e"),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsaeiou":
        word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 2 else word


def _by_word() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for number, group in enumerate(_GROUPS):
        for word in group.split():
            groups.setdefault(stem(word), set()).add(f"#{number}")
    return {word: frozenset(names) for word, names in groups.items()}


_GROUPS_BY_WORD = _by_word()


def words(text: str) -> list[str]:
    """The words of a text, in lower case; `snake_case` and `camelCase` come apart."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", text.replace("_", " "))
    return re.findall(r"[a-z][a-z'’]*[a-z]|[a-z]", apart.lower())


@lru_cache(maxsize=4_096)
def meanings(text: str) -> frozenset[str]:
    """The stems of a text's telling words."""
    found: set[str] = set()
    for word in words(text):
        if word in STOP and stem(word) not in _GROUPS_BY_WORD:
            continue
        found.add(stem(word))
    return frozenset(found)


def kin(word: str) -> frozenset[str]:
    """The groups that a stem belongs to."""
    return _GROUPS_BY_WORD.get(word, frozenset())


def groups_of(stems: frozenset[str]) -> frozenset[str]:
    """All groups that some stems belong to."""
    return frozenset(group for word in stems for group in kin(word))


NUMBERS = {
    name: value
    for value, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}
"""Numbers that people write as words."""
