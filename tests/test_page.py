"""The page of a report in a browser: Debian's Chromium, without a window."""

import contextlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import paint
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_report import HOSTILE

from moderate_cli.cli import _run
from moderate_cli.selection import BALANCES, kept_count, quotas, select
from moderate_cli.selection.windows import MEDIAN

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE = 120  # seconds
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

        def start(page, width=1280, height=900, dark=False):
            options = webdriver.ChromeOptions()
            options.binary_location = CHROMIUM
            for flag in FLAGS.split():
                options.add_argument(flag)
            options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
            options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
            browser = webdriver.Chrome(options=options, service=Service(DRIVER))
            opened.callback(browser.quit)
            browser.set_page_load_timeout(PATIENCE)
            browser.set_script_timeout(PATIENCE)
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            browser.get(page.as_uri())
            until(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")
            opened.callback(check, browser, page)
            return browser

        yield start


def check(browser, page):
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    asked = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
        and '"url":"data:' not in entry["message"]
    ]
    assert len(asked) == 1
    assert page.as_uri() in asked[0]


def until(condition):
    """Wait for it, for as long as a busy machine may need."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


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
    assert texts(browser, "h1") == ["data0/train"] or texts(browser, "h1")[0].endswith("/train")
    assert texts(browser, "main h2") == [
        "To know", "Kept of each class", "Options", "Scores", "Classes", "Gallery", "Map",
        "Accuracy",
    ]  # fmt: skip
    tiles = dict(zip(texts(browser, ".tiles dt"), texts(browser, ".tiles dd"), strict=True))
    assert (tiles["Images"], tiles["Classes"], tiles["Kept"]) == ("84", "5", "42")
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map((chart) => {"
        "  const canvas = chart.querySelector('canvas');"
        "  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        "  return pixels.some((value) => value > 0);"
        "})"
    )
    assert charts == [True, True, True]
    shelves = texts(browser, ".shelf h3")
    assert shelves[:3] == ["Nearest to the center", "At the median", "Farthest from the center"]
    loaded = "return [...document.querySelectorAll('.shelf img')].map((img) => img.naturalWidth)"
    assert set(browser.execute_script(loaded)) == {112}


def test_suspects_are_shown_with_the_class_they_look_like(page, browse):
    browser = browse(page)
    browser.find_element(By.CSS_SELECTOR, "#class option[value='4']").click()
    assert texts(browser, ".shelf h3")[-1] == "Suspects"
    (suspect,) = browser.find_elements(By.CSS_SELECTOR, ".shelf:last-child figure")
    assert suspect.get_attribute("aria-label").startswith("e/x.png, ")
    assert suspect.get_attribute("aria-label").endswith(", looks like a")
    browser.find_element(By.ID, "next").click()
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
    browser.find_element(By.ID, "reset").click()
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
        button = browser.find_element(By.CSS_SELECTOR, f"thead [data-key='{key}']")
        for descending in (first, not first):
            button.click()
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
    more = browser.find_element(By.ID, "more")
    assert more.text == "Show all 230 classes"
    more.click()
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
    browser.refresh()
    until(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")
    assert browser.execute_script(theme) == after
    browser.get_log("performance")
    browser.get(page.as_uri())  # for the check at the end, which counts one request
    until(lambda: browser.execute_script("return document.body.dataset.ready") == "yes")


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
        "const [left, top] = views.map.origin();"
        "return [box.left + left + views.map.scale('x')(point.x),"
        "        box.top + top + views.map.scale('y')(point.y)]"
    )
    time.sleep(0.5)  # smooth scrolling hides the card
    move = {"type": "mouseMoved", "x": place[0], "y": place[1]}
    card = browser.find_element(By.ID, "card")

    def moved():
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", move)
        return card.is_displayed()

    until(moved)
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
        browser.find_element(By.CSS_SELECTOR, f"#class option[value='{option}']").click()
        for figure in browser.find_elements(By.CSS_SELECTOR, ".shelf figure")[:2]:
            browser.execute_script("arguments[0].focus()", figure)
            assert figure.get_attribute("aria-label")
    assert browser.execute_script("return typeof pwned") == "undefined"
    assert len(browser.find_elements(By.CSS_SELECTOR, "h1 img, td svg, th img, bdi *")) == 0
    assert browser.title.startswith("<img src=x onerror=pwned=1>/t&quot;'\"")


def test_the_requirements_are_there():
    assert Path(CHROMIUM).exists(), "apt-get install chromium"
    assert Path(DRIVER).exists(), "apt-get install chromium-driver"
