"""Dialogues to search in, made from the templates of dialogues.txt, and questions about them with their answers.

Every template becomes several dialogues that differ in names, places and dates only, so that a question about one of
them has the others for rivals. A part of the templates is held out: nothing was tuned with them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

TEMPLATES = Path(__file__).with_name("dialogues.txt")
COPIES = 6

_POOLS: Mapping[str, tuple[str, ...]] = {
    "person": ("Anneke", "Bartosz", "Chiara", "Dmitri", "Esperanza", "Farouk", "Gudrun", "Hamish", "Ingrid", "Jorge"),
    "person2": ("Kasper", "Leonie", "Mateus", "Nadia", "Orla", "Pavel", "Quentin", "Rosalind", "Sanne", "Tobias"),
    "surname": ("Abernathy", "Brockhaus", "Castellano", "Dvořák", "Eriksson", "Fitzgerald", "Grabowski", "Hoffmeister"),
    "pet": ("Bello", "Muffin", "Pixel", "Nougat", "Biscuit", "Waffle", "Pepper", "Ziggy"),
    "city": ("Lisbon", "Hamburg", "Kraków", "Turin", "Bergen", "Ghent", "Graz", "Málaga", "Tartu", "Zürich"),
    "street": ("Mill Lane", "Rosenweg", "Harbour Road", "Lindenallee", "Church Hill", "Kastanienring", "Elm Court"),
    "date": ("3 March", "14 May", "21 June", "9 August", "30 September", "12 October", "26 November", "5 December"),
    "number": ("12", "48", "75", "130", "240", "365", "490", "820"),
    "code": ("LX318", "BA907", "LH2044", "KL1733", "AF1189", "TP552", "SK604"),
    "ref": ("QX7-4410", "ZB2-9931", "HK5-0078", "MV8-2265", "TN1-6604", "RD3-8457", "WP9-1120"),
    "drug": ("penicillin", "ibuprofen", "diclofenac", "codeine", "naproxen", "aspirin"),
    "drug_typo": ("penicilin", "ibuprofne", "diclofenak", "codiene", "naproxn", "asprin"),
    "dish": ("dal", "moussaka", "risotto", "goulash", "paella", "ratatouille"),
    "thing": ("telescope", "hammock", "ukulele", "kettle", "microphone", "backpack"),
    "thing_typo": ("telescpoe", "hamock", "ukelele", "kettel", "micorphone", "bakcpack"),
    "company": ("Northwind", "Fabrikam", "Adventure Works", "Contoso", "Lakeshore", "Tailspin"),
    "ja_pet": ("モモ", "ソラ", "ハナ", "コタロウ"),
    "ja_person": ("美咲", "健太", "陽子", "翔太"),
    "ja_city": ("横浜", "札幌", "神戸", "福岡"),
    "ja_date": ("三月三日", "五月十日", "七月七日", "十月一日"),
    "zh_person": ("王芳", "李伟", "张敏", "刘洋"),
    "zh_city": ("上海", "成都", "杭州", "南京"),
    "zh_date": ("三月八号", "五月二十号", "九月十五号", "十二月一号"),
    "ko_pet": ("보리", "초코", "두부", "콩이"),
    "ko_person": ("민준", "서연", "지호", "하은"),
    "ko_city": ("부산", "대구", "인천", "광주"),
    "ko_date": ("삼월 오일", "유월 십일", "구월 이일", "십이월 칠일"),
}


Turn = tuple[str, int]
"""Name of a dialogue, and the place in it, from 0."""


@dataclass(frozen=True)
class Question:
    """Asked later. `answers` are turns: finding one of them is finding it."""

    text: str
    kind: str
    answers: frozenset[Turn]
    held_out: bool


@dataclass(frozen=True)
class Dialogue:
    """What was said, in order."""

    name: str
    language: str
    turns: tuple[str, ...]
    questions: tuple[Question, ...]


def dialogues(copies: int = COPIES) -> list[Dialogue]:
    """All dialogues, always the same, in an order that mixes the templates."""
    made = [
        _dialogue(template, place, copy)
        for copy in range(copies)
        for place, template in enumerate(TEMPLATES.read_text("utf-8").split("\n\n")[1:])
    ]
    Random(6).shuffle(made)
    return made


def questions(asked: Iterable[Dialogue]) -> list[Question]:
    """All questions. One that is the same in several dialogues is asked once, and each of their answers is right."""
    found: dict[str, Question] = {}
    for question in (question for dialogue in asked for question in dialogue.questions):
        known = found.get(question.text, question)
        found[question.text] = replace(known, answers=known.answers | question.answers)
    return list(found.values())


def _dialogue(template: str, place: int, copy: int) -> Dialogue:
    title, *lines = template.strip().splitlines()
    topic, language, part = title.split()
    name = f"{topic}-{copy}"

    def filled(text: str) -> str:
        return re.sub(r"{(\w+)}", lambda slot: _value(slot[1], place, copy), text)

    turns = tuple(filled(line[2:]) for line in lines if line.startswith("- "))
    questions = tuple(_questions(name, filled, lines, held_out=part == "held"))
    return Dialogue(name, language, turns, questions)


def _questions(name: str, filled: Callable[[str], str], lines: list[str], *, held_out: bool) -> Iterator[Question]:
    for line in lines:
        if line.startswith("? "):
            kind, answers, text = line[2:].split(maxsplit=2)
            turns = frozenset((name, int(number) - 1) for number in answers.split(","))
            yield Question(filled(text), kind, turns, held_out)


def _value(slot: str, place: int, copy: int) -> str:
    """What stands for a slot in this copy: another one in every copy, as long as there are enough."""
    pool = _POOLS[slot]
    # A misspelt word is that of the word itself: both pools have one order.
    return pool[(place + copy) % len(pool)]
