"""The documentation site: its pages, its glossary, and what its reference covers."""

from __future__ import annotations

import inspect
import re

import pytest

import fencepost
import fencepost.testing

from .root import ROOT

DOCS = ROOT / "docs"

MOST_WORDS = 25
BESIDE = ("fencepost.store.", "fencepost.app.settings.")


def test_every_page_of_the_navigation_exists_and_every_page_is_in_it() -> None:
    named = re.findall(r"\b[\w-]+\.md\b", (ROOT / "mkdocs.yml").read_text())

    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_readme_links_the_glossary() -> None:
    assert "](docs/glossary.md)" in (ROOT / "README.md").read_text()


def test_the_glossary_has_few_words_in_their_order_and_one_sentence_for_each() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word, _ in rows[1:]]

    assert len(words) <= MOST_WORDS
    assert words == sorted(set(words))
    assert [meaning for _, meaning in rows[1:] if not re.fullmatch(r"[^.]+\.", meaning)] == []


def test_the_reference_covers_every_public_name() -> None:
    found = set(re.findall(r"^::: (\S+)$", (DOCS / "reference.md").read_text(), re.MULTILINE))
    public = {f"fencepost.{name}" for name in fencepost.__all__ if name != "__version__"}
    public |= {f"fencepost.testing.{name}" for name in fencepost.testing.__all__}
    # The tool would take fencepost.connect for the module of that name.
    found = {name.replace("store.connect.connect", "connect") for name in found}

    assert public - found == set()
    # What public names take and return, too.
    assert {each for each in found - public if not each.startswith(BESIDE)} == set()


PUBLIC = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (fencepost, fencepost.testing)
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
]


@pytest.mark.parametrize("public", PUBLIC)
def test_the_reference_leaves_out_no_method_for_want_of_words(public: object) -> None:
    members = [public]
    if inspect.isclass(public):
        members += [
            member
            for name, member in vars(public).items()
            if not name.startswith("_")
            and (inspect.isfunction(member) or isinstance(member, property))
        ]

    assert [member for member in members if not (member.__doc__ or "").strip()] == []


def test_snippets_name_parts_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    snippets = [
        part
        for page in DOCS.glob("*.md")
        for part in re.findall(r'^--8<-- "README.md:(\w+)"$', page.read_text(), re.MULTILINE)
    ]

    assert snippets
    for part in snippets:
        assert readme.count(f"[start:{part}]") == readme.count(f"[end:{part}]") == 1
        inside = readme.split(f"[start:{part}]")[1].split(f"[end:{part}]")[0]
        assert "](docs/" not in inside  # a link that leads nowhere on the site


def test_the_tests_that_pages_name_are_there() -> None:
    named = {
        path
        for page in DOCS.glob("*.md")
        for path in re.findall(r"`((?:tests|bench)/[\w/]+\.py)`", page.read_text())
    }

    assert {path for path in named if not (ROOT / path).is_file()} == set()


def test_the_files_to_which_contributing_sends_a_change_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.split("## Where a change goes")[1].split("\n## ")[0]
    named = set(re.findall(r"`([\w.]+(?:/[\w.]+)*/?)`", table))
    paths = {path for path in named if "/" in path}

    assert len(paths) > 20
    assert {path for path in paths if not (ROOT / path).exists()} == {"store/postgres/"}
