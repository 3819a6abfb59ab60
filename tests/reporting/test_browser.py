"""The page of a report in a browser: Chromium, without a window."""

import csv
import io
import itertools
import os
import time
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from chromium import show, until
from conftest import paint
from hostile import HOSTILE
from reports import HOW, data_of, subject_of
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from moderate_cli.dataset.corrections import Corrections
from moderate_cli.images.thumbnails import Thumbnail
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.reporting import Subject, map_of, write_report
from moderate_cli.reporting.subject import Made

AXE = (files("axe_core_python") / "axe.min.js").read_text("utf-8")

pytestmark = pytest.mark.program("chromium", "chromedriver")


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def click(browser, selector):
    """Click in the middle of the screen, where nothing covers the element."""
    found = browser.find_element(By.CSS_SELECTOR, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    found.click()
    return found


def press(browser, *keys):
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def choose(browser, name, value):
    browser.execute_script(
        "const chooser = document.getElementById(arguments[0]); chooser.value = arguments[1];"
        "chooser.dispatchEvent(new Event('change'))",
        name,
        str(value),
    )


def cards(browser):
    """The paths of the images on the page, in their order."""
    labels = browser.execute_script(
        "return [...document.querySelectorAll('#grid .open')].map((one) => one.ariaLabel)"
    )
    return [label.partition(",")[0] for label in labels]


def current(browser):
    """The path of the image that has the focus."""
    return browser.switch_to.active_element.get_attribute("aria-label").partition(",")[0]


def column(browser, number):
    return browser.execute_script(
        "return [...document.querySelectorAll('#class-table tbody tr')]"
        ".map((row) => row.children[arguments[0]].textContent)",
        number,
    )


def slide(browser, percent):
    """Move the slider to a stop."""
    browser.execute_script(
        "const slider = document.getElementById('ratio');"
        "slider.value = data.slider.percents.indexOf(arguments[0]);"
        "slider.dispatchEvent(new Event('input'))",
        percent,
    )
    until(lambda: browser.find_element(By.ID, "ratio-out").text.startswith(f"{percent} %,"))


def kept_of(moderate, data, percent, *way):
    """Numbers of each class that `moderate select` would keep, and of all."""
    table = moderate("select", "-r", f"{percent}/100", *way, "--counts", data).stdout
    return [line.split()[2] for line in table.splitlines()[1:]]


def downloaded(browser, folder):
    """Export the marks, and return the file."""
    how = {"behavior": "allow", "downloadPath": os.fspath(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", how)
    click(browser, "#export")
    file = folder / "corrected.csv"
    until(file.exists)
    content = file.read_bytes()
    file.unlink()
    return content


def test_the_first_screen_has_a_verdict_and_three_facts(page, browse):
    browser = browse(page)
    assert texts(browser, "h1") == ["data0/train"]
    assert texts(browser, ".lead") == [
        "42 of 84 images are kept (50 % of all), chosen by moderate in each class. Features are of"
        " pixels."
    ]
    assert texts(browser, ".verdict h2") == ["This selection was not evaluated."]
    assert texts(browser, ".verdict .word")[:2] == ["moderate", "evaluate"]
    classes, labels, duplicates = texts(browser, ".facts h3")
    assert (classes, labels) == ("Each class keeps its share", "1 likely label error, none kept")
    assert duplicates.endswith("different labels")
    assert browser.execute_script(
        "const { bottom } = document.querySelector('.facts').getBoundingClientRect();"
        "return bottom < innerHeight"
    )
    assert texts(browser, "main h2")[1:] == ["Images", "Map", "Scores", "Classes"]
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map((chart) => {"
        "  const canvas = chart.querySelector('canvas');"
        "  const { width, height } = canvas, image = canvas.getContext('2d');"
        "  return image.getImageData(0, 0, width, height).data.some((value) => value > 0);"
        "})"
    )
    assert charts == [True, True, True]


def test_the_facts_lead_to_their_views(page, browse):
    browser = browse(page)
    shown = "return [state.view, document.querySelector('#views [aria-pressed=true]').textContent]"
    click(browser, ".facts [data-view='duplicates']")
    assert browser.execute_script(shown)[0] == "duplicates"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#grid li:first-child img")) == 2
    click(browser, ".facts [data-view='suspects']")
    assert browser.execute_script(shown) == ["suspects", "Suspects 1"]
    click(browser, ".facts [data-view='classes']")
    assert texts(browser, "[aria-sort='ascending']") == ["Share kept"]


def test_commands_are_copied(page, browse):
    browser = browse(page)
    how = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", how)
    button = click(browser, ".made > div:last-child .copy")
    until(lambda: button.text == "Copied")
    copied = browser.execute_async_script(
        "const done = arguments[0]; navigator.clipboard.readText().then(done, () => done(null))"
    )
    code = browser.find_element(By.CSS_SELECTOR, ".made > div:last-child code")
    assert copied == code.get_attribute("textContent")
    assert copied.startswith("moderate report ")


def test_suspects_are_shown_with_the_class_they_look_like(page, browse):
    browser = browse(page)
    assert cards(browser) == ["e/x.png"]
    (caption,) = texts(browser, "#grid .caption")
    assert caption.split()[:3] == ["e", "→", "a"]
    pairs = "return [...document.getElementById('pair').options].map((one) => one.textContent)"
    assert browser.execute_script(pairs) == ["all (1)", "e → a (1)"]


@pytest.fixture
def noisy(tmp_path):
    """A page of twelve images of three classes; six are suspects."""
    labels = np.arange(12) % 3
    seen = (labels + 1) % 3
    probability = np.linspace(0.1, 0.98, 12)
    suspects = Suspects(probability, seen)
    subject = subject_of(tmp_path, range(12), labels, "abc", HOW, suspects=suspects)
    for row in range(12):
        paint(tmp_path / subject.data.paths[row], 20 * row)
    write_report(tmp_path / "noisy.html", subject, map_of(subject), [])
    return tmp_path / "noisy.html"


def test_filters_and_orders(noisy, browse):
    browser = browse(noisy)
    counts = texts(browser, "#views button")
    assert counts == ["Suspects 6", "Near duplicates 0", "Kept 6", "Dropped 6", "All 12"]
    surest = [f"{'abc'[row % 3]}/{row}.png" for row in range(11, 5, -1)]
    assert cards(browser) == surest
    choose(browser, "pair", "1 2")
    assert cards(browser) == ["b/10.png", "b/7.png"]
    choose(browser, "pair", "")
    choose(browser, "sort", "score")
    assert cards(browser) == surest[::-1]
    click(browser, "[data-view='kept']")
    assert cards(browser) == [f"{'abc'[row % 3]}/{row}.png" for row in range(3, 9)]
    choose(browser, "sort", "falling")
    choose(browser, "class", 2)
    assert cards(browser) == ["c/8.png", "c/5.png"]
    click(browser, "#class-table tbody button")
    assert cards(browser) == ["a/0.png", "a/3.png", "a/6.png", "a/9.png"]
    looks = browser.execute_script(
        "return [...document.querySelectorAll('#grid .picture')].map((one) => ["
        "  one.className, getComputedStyle(one).borderStyle])"
    )
    assert looks == [
        ["picture dropped", "dashed"], ["picture kept", "solid"],
        ["picture kept suspect", "solid"], ["picture dropped suspect", "dashed"],
    ]  # fmt: skip
    size = browser.execute_script(
        "const shown = document.querySelector('#grid img');"
        "const { width, height } = shown.getBoundingClientRect();"
        "return [width, height, getComputedStyle(shown).objectFit]"
    )
    assert size[2] == "contain"
    assert min(size[:2]) >= 158  # and a border of 3 pixels


def test_marks_are_made_by_keyboard_kept_and_exported(noisy, browse, tmp_path):
    browser = browse(noisy)
    assert not browser.find_element(By.ID, "marks").is_displayed()
    press(browser, "j")
    assert current(browser) == "c/11.png"
    press(browser, "j", "k", "k", "y")  # the first one stays the first
    assert current(browser) == "b/10.png"
    press(browser, "n")
    assert current(browser) == "a/9.png"
    press(browser, "x", "y", "k", "y")  # the second "y" takes the mark of c/8.png back
    assert current(browser) == "c/8.png"
    assert texts(browser, "#marked") == ["3 images marked"]
    show(browser, noisy)
    assert texts(browser, "#marked") == ["3 images marked"]
    pressed = "#grid li:nth-child(3) [aria-pressed='true']"
    assert texts(browser, pressed) == ["Out"]
    assert downloaded(browser, tmp_path).decode() == (
        "path,given,label,probability\na/9.png,a,,0.82\nb/10.png,b,b,0.9\nc/11.png,c,a,0.98\n"
    )
    browser.execute_script("window.confirm = () => true")
    click(browser, "#clear")
    assert not browser.find_element(By.ID, "marks").is_displayed()


def test_earlier_corrections_are_exported_too(browse, tmp_path):
    """Of 12 images, three were corrected: b/10, a/0, and b/1, which is left out."""
    labels, classes = np.arange(12) % 3, ("a", "b", 'b,"c"')
    corrected = labels.copy()
    given = labels.copy()
    given[10], corrected[1], given[0] = 2, -1, 1
    before = Corrections("old.csv", "", given, corrected)
    suspects = Suspects(np.linspace(0.1, 0.98, 12), (labels + 1) % 3)
    made = Made(corrected="moderate select data --labels corrected.csv")
    subject = subject_of(tmp_path, range(12), labels, classes, suspects=suspects, made=made)
    source = subject.selection.source
    source = replace(source, dataset=replace(source.dataset, corrections=before))
    subject = replace(subject, selection=replace(subject.selection, source=source))
    write_report(tmp_path / "page.html", subject, map_of(subject), [])
    browser = browse(tmp_path / "page.html")
    assert texts(browser, "#hint")[0].startswith("Is the label wrong? Press j to start; y: yes")
    press(browser, "j", "j", "n")  # b/10
    (told,) = texts(browser, "#marks .fine")
    assert " ".join(told.split()) == (
        "The CSV has the 3 earlier corrections, too. Then:"
        " moderate select data --labels corrected.csv"
    )
    assert downloaded(browser, tmp_path).decode() == (
        'path,given,label,probability\nb/10.png,"b,""c""",b,0.9\na/0.png,b,a,\nb/1.png,b,,\n'
    )


def test_marks_are_made_by_clicks(noisy, browse):
    browser = browse(noisy)
    click(browser, "#grid li:first-child [data-label='0']")
    assert browser.execute_script("return marks") == {"c/11.png": 0}
    click(browser, "#grid li:first-child [data-label='0']")
    assert browser.execute_script("return marks") == {}


def test_marks_belong_to_a_dataset_whatever_its_labels(noisy, browse, tmp_path):
    browser = browse(noisy)
    press(browser, "j", "y")
    key = data_of(noisy.read_text())["key"]
    kept = "return [Object.keys(localStorage), localStorage[Object.keys(localStorage)[0]]]"
    assert browser.execute_script(kept) == [[f"moderate-marks-{key}"], '{"c/11.png":"a"}']
    # A page of other labels, on which the class has another position.
    labels = np.arange(12) % 3
    subject = subject_of(tmp_path, range(12), labels, "abc", HOW)
    scores = replace(subject.scores, labels=np.maximum(labels, 1), values=np.arange(12.0))
    other = Subject(replace(subject.selection, scores=scores))
    write_report(tmp_path / "other.html", other, map_of(other), [])
    browse(tmp_path / "other.html")
    assert data_of((tmp_path / "other.html").read_text())["key"] == key
    assert texts(browser, "#marks") == [""]  # there is no class "a"
    browse(noisy)
    assert texts(browser, "#marked") == ["1 image marked"]


def test_a_click_enlarges_and_keys_move_on(noisy, browse):
    browser = browse(noisy)
    box = browser.find_element(By.ID, "lightbox")
    click(browser, "#grid li:nth-child(2) .open")
    assert box.is_displayed()
    assert texts(browser, "#box-path") == ["b/10.png"]
    assert texts(browser, "#box-facts") == ["b, score 10.00, dropped, looks like c, 90 %"]
    press(browser, Keys.ARROW_RIGHT)
    assert texts(browser, "#box-path") == ["a/9.png"]
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert texts(browser, "#box-path") == ["c/11.png"]
    assert texts(browser, "#box-place") == ["1 of 6"]
    press(browser, "y")
    assert texts(browser, "#box-path") == ["b/10.png"]
    browser.execute_script(
        "const chooser = document.querySelector('#box-marks select'); chooser.value = '0';"
        "chooser.dispatchEvent(new Event('change'))"
    )
    assert browser.execute_script("return marks") == {"c/11.png": 0, "b/10.png": 0}
    press(browser, Keys.ESCAPE)
    assert not box.is_displayed()
    assert current(browser) == "b/10.png"
    press(browser, Keys.ENTER)
    assert box.is_displayed()


def test_many_images_are_shown_in_pages(browse, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "moderate_cli.images.thumbnails.thumbnail",
        lambda *_: Thumbnail("data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="),
    )
    subject = subject_of(tmp_path, range(20_000), np.arange(20_000) % 9, "abcdefghi", HOW)
    write_report(tmp_path / "many.html", subject, map_of(subject), [])
    browser = browse(tmp_path / "many.html")
    assert texts(browser, "#views button")[-1] == "All 20,000"
    assert texts(browser, "#place") == ["1 to 60 of 20,000"]
    click(browser, "#next")
    assert cards(browser)[0].endswith("/60.png")
    browser.execute_script("goTo(119)")
    press(browser, "j")
    assert texts(browser, "#place") == ["121 to 180 of 20,000"]
    assert current(browser).endswith("/120.png")
    started = time.monotonic()
    choose(browser, "sort", "falling")
    assert cards(browser)[0].endswith("/19999.png")
    assert time.monotonic() - started < 5  # on a busy machine; about 0.1 otherwise
    assert browser.execute_script("return document.querySelectorAll('*').length") < 2_000


def test_the_slider_counts_as_select_does(page, grays, browse, moderate):
    browser = browse(page)
    lead, bins = texts(browser, ".lead"), "return JSON.stringify(views.scores.data('bins'))"
    before = browser.execute_script(bins)
    for percent in (1, 12, 50, 77, 100):
        slide(browser, percent)
        *expected, total = kept_of(moderate, grays, percent)
        assert column(browser, 2) == expected
        assert texts(browser, "#total-kept") == [total]
        shares = [round(100 * int(kept) / int(images), 1) for kept, images in zip(
            expected, column(browser, 1), strict=True
        )]  # fmt: skip
        assert column(browser, 3) == [f"{share:.1f} %" for share in shares]
        image = "image" if total == "1" else "images"
        assert texts(browser, "#ratio-out") == [f"{percent} %, {total} {image}"]
        slider = browser.find_element(By.ID, "ratio")
        assert slider.get_attribute("aria-valuetext") == f"{percent} %"
        # It stands beside all that it changes.
        assert (texts(browser, ".lead"), browser.execute_script(bins)) == (lead, before)
    click(browser, "#reset")
    assert browser.find_element(By.ID, "ratio-out").text == "50 %, 42 images"
    assert texts(browser, "#total-kept") == ["42"]
    assert not browser.find_element(By.ID, "reset").is_displayed()


@pytest.mark.parametrize(
    "way",
    [
        ("--strategy", "stratified", "--scope", "global"),
        ("--strategy", "two-ends", "--min-per-class", "3", "--scope", "global"),
        ("--drop-suspects", "auto"),
        ("--strategy", "matching", "--drop-suspects", "auto"),
        ("--strategy", "random"),
    ],
    ids=" ".join,
)
def test_the_slider_tells_what_any_strategy_would_keep(way, grays, pages, browse, moderate):
    browser = browse(pages(grays, "-r", "0.5", *way))
    remaining = " of the 83 remaining images" if "auto" in way else ""
    assert texts(browser, "#ratio-note") == [
        "The slider changes this table only: the counts are exactly those of moderate select at"
        f" that ratio{remaining}."
    ]
    slide(browser, 25)
    *expected, _ = kept_of(moderate, grays, 25, *way)
    assert column(browser, 2) == expected


def test_the_histogram_is_of_all_images_or_of_one_class(page, browse):
    browser = browse(page)
    sums = (
        "return ['kept', 'dropped', 'suspect'].map((fate) =>"
        " views.scores.data('bins').reduce((sum, bin) => sum + bin[fate], 0))"
    )
    assert browser.execute_script(sums) == [42, 41, 1]
    choose(browser, "score-class", 4)
    assert sum(browser.execute_script(sums)) == 4
    median = browser.execute_script("return views.scores.data('median')[0].low")
    assert median == browser.execute_script("return data.classes[4].median")
    choose(browser, "score-class", -1)
    assert browser.execute_script(sums) == [42, 41, 1]


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


def test_many_classes_are_shown_on_demand(browse, tmp_path):
    classes = [f"{number:03}" for number in range(230)]
    subject = subject_of(tmp_path, range(230), range(230), classes)
    write_report(tmp_path / "many.html", subject, map_of(subject), [])
    browser = browse(tmp_path / "many.html")
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
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the summary"
    slider = browser.find_element(By.ID, "ratio")
    slider.send_keys(Keys.ARROW_RIGHT)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "51 %, 43 images")
    slider.send_keys(Keys.HOME)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "1 %, 1 image")
    press(browser, "j")  # moves on only outside of fields
    assert browser.switch_to.active_element.get_attribute("id") == "ratio"
    button = browser.find_element(By.CSS_SELECTOR, "thead [data-key='images']")
    button.send_keys(Keys.ENTER)
    assert column(browser, 1) == ["20", "20", "20", "20", "4"]
    browser.find_element(By.CSS_SELECTOR, "#class-table tbody button").send_keys(Keys.SPACE)
    assert browser.switch_to.active_element.get_attribute("id") == "class"
    # One stop of the tabulator for all pictures.
    stops = "return document.querySelectorAll('#grid [tabindex=\"0\"]').length"
    assert browser.execute_script(stops) == 1


def place_of(browser, path):
    """Scroll to the map, and return where a point of it is on the screen."""
    return browser.execute_script(
        "const host = document.getElementById('map-chart'); host.scrollIntoView({block: 'center'});"
        "const at = data.images.findIndex((one) => one.path === arguments[0]);"
        "const point = views.map.data('map').find((one) => one.at === at);"
        "const box = host.querySelector('canvas').getBoundingClientRect();"
        "const [left, top] = views.map.origin(), edge = views.map.padding();"
        "return [box.left + edge.left + left + views.map.scale('x')(point.x),"
        "        box.top + edge.top + top + views.map.scale('y')(point.y)]",
        path,
    )


def test_a_point_of_the_map_shows_its_picture(page, browse):
    browser = browse(page)
    place = place_of(browser, "e/1.png")
    card = browser.find_element(By.ID, "card")
    asides = itertools.cycle((0, 1))

    def is_shown():
        move = {"type": "mouseMoved", "x": place[0] + next(asides), "y": place[1]}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", move)
        return card.is_displayed()

    until(is_shown)
    assert card.text.splitlines()[0].startswith("e/")
    assert card.find_element(By.TAG_NAME, "img").get_attribute("src").startswith("data:image/webp")
    for kind in ("mousePressed", "mouseReleased"):
        event = {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    until(browser.find_element(By.ID, "lightbox").is_displayed)
    assert texts(browser, "#box-path")[0].startswith("e/")


def test_the_legend_of_the_map_filters(page, browse):
    browser = browse(page)
    assert texts(browser, "#legend button") == list("abcde")
    opacities = (
        "const seen = {}; const walk = (item) => { if (item.datum?.group !== undefined &&"
        " item.shape === 'circle' && item.fill) (seen[item.datum.group] ??= new Set())"
        ".add(item.opacity > 0.1); (item.items || []).forEach(walk); };"
        "walk(views.map.scenegraph().root);"
        "return Object.entries(seen).map(([group, shown]) => [group, [...shown]])"
    )
    every = [[str(group), [True]] for group in range(5)]
    assert browser.execute_script(opacities) == every
    click(browser, "#legend button:nth-child(2)")
    alone = [[str(group), [group == 1]] for group in range(5)]
    until(lambda: browser.execute_script(opacities) == alone)
    click(browser, "#legend button:nth-child(2)")
    until(lambda: browser.execute_script(opacities) == every)


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(width, page, browse):
    browser = browse(page, width=width, height=800)
    for script in ("", "setView('duplicates')", "setView('all')", "openBox(0)"):
        browser.execute_script(script)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    small = browser.execute_script(
        "return [...document.querySelectorAll('#grid .picture')].filter("
        "(one) => one.getBoundingClientRect().width < 160).length"
    )
    assert small == 0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(width, dark, page, pages, grays, browse):
    measured = pages(grays, "-r", "0.5", "--strategy", "easy", "--drop-suspects", "auto")
    for one in (page, measured):
        browser = browse(one, width=width, dark=dark)
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
        for script in ("", "press()", "setView('duplicates')", "setView('all')", "openBox(0)"):
            browser.execute_script(script.replace("press()", "mark(found[0].image, 0)"))
            found = browser.execute_async_script("axe.run().then(arguments[0])")
            assert [
                (fault["id"], [node["html"] for node in fault["nodes"]])
                for fault in found["violations"]
            ] == []
            assert len(found["passes"]) > 10


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
    browser.execute_script("setView('all')")
    assert len(cards(browser)) == 21
    for number in range(21):
        browser.execute_script("openBox(arguments[0]); mark(found[arguments[0]].image, 0)", number)
    browser.execute_script("document.getElementById('lightbox').close()")
    assert browser.execute_script("return typeof pwned") == "undefined"
    assert (
        len(
            browser.find_elements(
                By.CSS_SELECTOR, "h1 img, td svg, th img, bdi :not(code, span), b img"
            )
        )
        == 0
    )
    assert browser.title.startswith("<img src=x onerror=pwned=1>/t&quot;'\"")
    # Their bytes are exported as they are, whether they are text or not.
    content = downloaded(browser, tmp_path).decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    first = min(HOSTILE, key=os.fsencode)
    assert {(row["path"], row["given"], row["label"]) for row in rows} == {
        (f"{name}/{image}{name}.png", name, first) for name in HOSTILE for image in range(3)
    }
