"""The page of a report in a browser: Debian's Chromium, without a window."""

import contextlib
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from chromium import CHROMIUM, DRIVER, show, start, until
from conftest import paint
from hostile import HOSTILE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from moderate_cli.cli import _run
from moderate_cli.selection import BALANCES, kept_count, quotas, select
from moderate_cli.selection.windows import MEDIAN

FEATURES = ("--backbone", "pixels", "--dtype", "float32", "--runtime", "torch")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return what writes a report of a dataset."""
    folder = tmp_path_factory.mktemp("pages")

    def write(data, *args):
        page = folder / f"{len(os.listdir(folder))}.html"
        assert _run(["report", os.fspath(data), *FEATURES, *args, "-o", os.fspath(page)]) == 0
        return page

    return write


@pytest.fixture(scope="module")
def grays(tmp_path_factory):
    """Four classes of 20 gray levels, an image of level 2 among the fifth; and an evaluation."""
    root = tmp_path_factory.mktemp("data") / "train"
    for label, name in enumerate("abcd"):
        for image in range(20):
            paint(root / name / f"{image:02}.png", 50 * label + image % 5)
    for image in range(3):
        paint(root / "e" / f"{image}.png", 250 + image)
    paint(root / "e" / "x.png", 2)
    evaluate = ("evaluate", os.fspath(root), *FEATURES, "--seeds", "1", "--strategy", "easy")
    assert _run([*evaluate, "--ratio", "0.2,0.5"]) == 0
    return root


@pytest.fixture(scope="module")
def page(pages, grays):
    return pages(grays, "-r", "0.5")


@pytest.fixture
def browse(tmp_path):
    """Return what opens a page; at the end there must be no error, and no request but for it."""
    with contextlib.ExitStack() as opened:

        def open_page(page, **how):
            browser = start(tmp_path / "profile", **how)
            opened.callback(browser.quit)
            show(browser, page)
            opened.callback(check, browser, page)
            return browser

        yield open_page


def check(browser, page):
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    # Pictures lie in the page; the browser's own first tab is another page.
    inside = ("data:", "chrome:", "chrome-untrusted:")
    assert {url for url in asked if not url.startswith(inside)} == {page.as_uri()}


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def click(browser, selector):
    """Click in the middle of the screen, where nothing lies above."""
    found = browser.find_element(By.CSS_SELECTOR, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    found.click()
    return found


def choose(browser, member):
    browser.execute_script(
        "const chooser = document.getElementById('class'); chooser.value = arguments[0];"
        "chooser.dispatchEvent(new Event('change'))",
        member,
    )


def column(browser, number):
    return browser.execute_script(
        "return [...document.querySelectorAll('#class-table tbody tr')]"
        ".map((row) => row.children[arguments[0]].textContent)",
        number,
    )


def slide(browser, thousandths):
    browser.execute_script(
        "const slider = document.getElementById('ratio'); slider.value = arguments[0];"
        "slider.dispatchEvent(new Event('input'))",
        thousandths,
    )
    wanted = f"{thousandths / 10:.1f} %,"
    until(lambda: browser.find_element(By.ID, "ratio-out").text.startswith(wanted))


def test_every_section_is_drawn(page, browse):
    browser = browse(page)
    assert texts(browser, "h1") == ["data0/train"]
    assert texts(browser, "main h2") == [
        "Warnings", "Kept of each class", "Options", "Scores", "Classes", "Gallery", "Map",
        "Accuracy",
    ]  # fmt: skip
    tiles = dict(zip(texts(browser, ".tiles dt"), texts(browser, ".tiles dd"), strict=True))
    assert (tiles["Images"], tiles["Classes"], tiles["Kept"]) == ("84", "5", "42")
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map((chart) => {"
        "  const canvas = chart.querySelector('canvas');"
        "  const { width, height } = canvas, image = canvas.getContext('2d');"
        "  return image.getImageData(0, 0, width, height).data.some((value) => value > 0);"
        "})"
    )
    assert charts == [True, True, True]
    shelves = texts(browser, ".shelf h3")
    assert shelves[:3] == ["Nearest to the center", "At the median", "Farthest from the center"]
    loaded = "return [...document.querySelectorAll('.shelf img')].map((img) => img.naturalWidth)"
    until(lambda: set(browser.execute_script(loaded)) == {112})


def test_suspects_are_shown_with_the_class_they_look_like(page, browse):
    browser = browse(page)
    choose(browser, 4)
    assert texts(browser, ".shelf h3")[-1] == "Suspects"
    (suspect,) = browser.find_elements(By.CSS_SELECTOR, ".shelf:last-child figure")
    assert suspect.get_attribute("aria-label").startswith("e/x.png, ")
    assert suspect.get_attribute("aria-label").endswith(", looks like a")
    click(browser, "#next")
    assert browser.find_element(By.ID, "class").get_attribute("value") == "0"


def test_the_slider_counts_as_select_does(page, grays, browse, moderate):
    browser = browse(page)
    for thousandths in (1, 123, 500, 777, 1000):
        slide(browser, thousandths)
        table = moderate("select", "-r", str(thousandths / 1000), "--dry-run", grays).stdout
        expected = [line.split()[2] for line in table.splitlines()[1:]]
        assert column(browser, 2) == expected[:-1]
        assert texts(browser, "#total-kept") == [expected[-1]]
        drawn = browser.execute_script(
            "return views.scores.data('bins').reduce((all, bin) => all + bin.kept, 0)"
        )
        assert drawn == int(expected[-1])
    click(browser, "#reset")
    assert browser.find_element(By.ID, "ratio-out").text == "50.0 %, 42 images"
    assert texts(browser, "#total-kept") == ["42"]


def test_any_rule_counts_as_select_does(page, browse, rng):
    browser = browse(page)
    cases, expected = [], []
    for trial in range(300):
        n, classes = int(rng.integers(1, 60)), int(rng.integers(1, 9))
        members = np.sort(rng.integers(0, classes, n))
        values = rng.integers(0, 12, n).astype(float)
        k = int(rng.integers(1, n + 1))
        how = {
            "scope": ("class", "global")[trial % 2],
            "balance": "proportional" if trial % 2 else list(BALANCES)[trial % 3],
            "quantile": ("0.5", "0.25", "0", "0.9")[trial % 4],
            "min_per_class": int(rng.integers(0, 4)),
        }
        up, down = (MEDIAN if how["quantile"] == "0.5" else how["quantile"]), 1
        up, down = (1, 2) if up == MEDIAN else (int(float(up) * 100), 100)
        sizes = np.bincount(members, minlength=classes)
        rule = {
            "kind": f"{how['scope']} window" + "s" * (how["scope"] == "class"),
            "median": how["quantile"] == "0.5",
            "quantile": [str(up), str(down)],
            "floor": how["min_per_class"],
            "balance": how["balance"],
        }
        order = np.argsort(values, kind="stable")
        ranked = members[order].tolist()
        case = {"n": n, "step": 1, "members": ranked, "sizes": sizes.tolist(), "rule": rule}
        cases.append([case, k])
        mask = select(values, members, count=k, **how)
        counts = np.bincount(members[mask], minlength=classes).tolist()
        expected.append([counts, mask[order].astype(int).tolist()])
    found = browser.execute_script(
        "return arguments[0].map(([ranking, k]) => {"
        "  const { counts, inside } = keep(ranking, k); return [counts, [...inside]]; })",
        cases,
    )
    assert found == expected


def test_kept_counts_and_shares_are_exact(page, browse, rng):
    browser = browse(page)
    numbers = [[int(n), int(part)] for n, part in zip(
        rng.integers(1, 10**7, 500), rng.integers(1, 1001, 500), strict=True
    )]  # fmt: skip
    found = browser.execute_script(
        "return arguments[0].map(([n, part]) => keptCount(n, part))", numbers
    )
    assert found == [kept_count(n, part / 1000) for n, part in numbers]
    sizes = rng.integers(1, 10**6, 1000)
    for balance in BALANCES:
        shared = browser.execute_script(
            "return quotas(...arguments)", sizes.tolist(), 10**8, [1] * 1000, balance
        )
        assert shared == quotas(sizes, 10**8, np.ones_like(sizes), balance).tolist()


@pytest.mark.parametrize(
    ("way", "disabled", "note"),
    [
        (("--strategy", "random"), True, "has no window that could be moved here"),
        (("--strategy", "trimmed"), True, "has no window that could be moved here"),
        (("--strategy", "matching"), False, "Counts are those of moderate select. Which images"),
        (("--scope", "class"), False, "Counts are those of moderate select, exactly."),
    ],
)
def test_the_slider_says_what_it_can_tell(way, disabled, note, grays, pages, browse, moderate):
    browser = browse(pages(grays, "-r", "0.5", *way))
    assert browser.find_element(By.ID, "ratio").is_enabled() is not disabled
    assert note in browser.find_element(By.ID, "ratio-note").text
    if not disabled:
        slide(browser, 250)
        table = moderate("select", "-r", "0.25", *way, "--dry-run", grays).stdout
        assert column(browser, 2) == [line.split()[2] for line in table.splitlines()[1:-1]]


def test_columns_sort(page, browse):
    browser = browse(page)
    for key, number, first in (("images", 1, True), ("name", 0, False), ("suspects", 6, True)):
        for descending in (first, not first):
            button = click(browser, f"thead [data-key='{key}']")
            head = button.find_element(By.XPATH, "..")
            assert head.get_attribute("aria-sort") == ("descending" if descending else "ascending")
            found = column(browser, number)
            found = found if key == "name" else [int(text) for text in found]
            assert found == sorted(found, reverse=descending)
    sorted_ones = browser.find_elements(By.CSS_SELECTOR, "[aria-sort$='ending']")
    assert len(sorted_ones) == 1


def test_many_classes_are_shown_on_demand(pages, browse, tmp_path):
    for number in range(230):
        paint(tmp_path / "many" / f"{number:03}" / "1.png", number)
    browser = browse(pages(tmp_path / "many"))
    assert len(column(browser, 0)) == 200
    assert texts(browser, "#more") == ["Show all 230 classes"]
    more = click(browser, "#more")
    assert len(column(browser, 0)) == 230
    assert not more.is_displayed()


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_the_system_s_until_it_is_chosen(dark, page, browse):
    browser = browse(page, dark=dark)
    before, after = ("dark", "light") if dark else ("light", "dark")
    theme = "return document.documentElement.dataset.theme"
    paper = "return getComputedStyle(document.body).backgroundColor"
    shown = browser.execute_script(paper)
    assert browser.execute_script(theme) == before
    assert (shown == "rgb(20, 23, 27)") is dark
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(theme) == after
    assert browser.execute_script(paper) != shown
    show(browser, page)
    assert browser.execute_script(theme) == after


def test_the_keyboard_is_enough(page, browse):
    browser = browse(page)
    keys = ActionChains(browser)
    keys.send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Skip to the summary"
    slider = browser.find_element(By.ID, "ratio")
    slider.send_keys(Keys.ARROW_RIGHT)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "50.1 %, 42 images")
    slider.send_keys(Keys.HOME)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "0.1 %, 1 images")
    button = browser.find_element(By.CSS_SELECTOR, "thead [data-key='images']")
    button.send_keys(Keys.ENTER)
    assert column(browser, 1) == ["20", "20", "20", "20", "4"]
    browser.find_element(By.CSS_SELECTOR, "#class-table tbody button").send_keys(Keys.SPACE)
    assert browser.switch_to.active_element.get_attribute("id") == "class"
    browser.execute_script("document.querySelector('.shelf figure').focus()")
    card = browser.find_element(By.ID, "card")
    until(card.is_displayed)
    assert card.text.startswith("a/")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not card.is_displayed()


def test_a_point_of_the_map_shows_its_picture(page, browse):
    browser = browse(page)
    place = browser.execute_script(
        "const host = document.getElementById('map-chart'); host.scrollIntoView({block: 'center'});"
        "const point = views.map.data('map').find((one) => one.path === 'e/1.png');"
        "const box = host.querySelector('canvas').getBoundingClientRect();"
        "const [left, top] = views.map.origin(), edge = views.map.padding();"
        "return [box.left + edge.left + left + views.map.scale('x')(point.x),"
        "        box.top + edge.top + top + views.map.scale('y')(point.y)]"
    )
    card = browser.find_element(By.ID, "card")
    asides = itertools.cycle((0, 1))

    def is_shown():
        move = {"type": "mouseMoved", "x": place[0] + next(asides), "y": place[1]}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", move)
        return card.is_displayed()

    until(is_shown)
    assert card.text.splitlines()[0].startswith("e/")
    assert card.find_element(By.TAG_NAME, "img").get_attribute("src").startswith("data:image/webp")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(width, page, browse):
    browser = browse(page, width=width, height=800)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_hostile_names_do_nothing(pages, browse, tmp_path):
    root = tmp_path / "<img src=x onerror=pwned=1>" / "t&quot;'\""
    for number, name in enumerate(HOSTILE):
        for image in range(3):
            paint(root / name / f"{image}{name}.png", 20 * number + image)
    browser = browse(pages(root, "-r", "0.5"))
    names = column(browser, 0)
    assert sorted(names) == sorted(
        [*HOSTILE[:3], "new\\nline", "\\u202ertl\\u2028", "\\udcff", HOSTILE[6]]
    )
    for option in range(len(HOSTILE)):
        choose(browser, option)
        for figure in browser.find_elements(By.CSS_SELECTOR, ".shelf figure")[:2]:
            browser.execute_script("arguments[0].focus()", figure)
            assert figure.get_attribute("aria-label")
    assert browser.execute_script("return typeof pwned") == "undefined"
    assert len(browser.find_elements(By.CSS_SELECTOR, "h1 img, td svg, th img, bdi *")) == 0
    assert browser.title.startswith("<img src=x onerror=pwned=1>/t&quot;'\"")


def test_the_requirements_are_there():
    assert Path(CHROMIUM).exists(), "apt-get install chromium"
    assert Path(DRIVER).exists(), "apt-get install chromium-driver"
