"""The page of a report in a browser: Chromium, without a window."""

import itertools

import pytest
from chromium import show, until
from conftest import paint
from hostile import HOSTILE
from reports import data_of, subject_of
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from moderate_cli.reporting import map_of, write_report

pytestmark = pytest.mark.program("chromium", "chromedriver")


def texts(browser, selector):
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def click(browser, selector):
    """Click in the middle of the screen, where nothing covers the element."""
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


def slide(browser, percent):
    """Move the slider to a stop."""
    browser.execute_script(
        "const slider = document.getElementById('ratio');"
        "slider.value = data.slider.percents.indexOf(arguments[0]);"
        "slider.dispatchEvent(new Event('input'))",
        percent,
    )
    until(lambda: browser.find_element(By.ID, "ratio-out").text.startswith(f"{percent} %,"))


def drawn(browser, name):
    """The data that a chart shows."""
    return browser.execute_script("return views.scores.data(arguments[0])", name)


def kept_of(moderate, data, percent, *way):
    """Numbers of each class that `moderate select` would keep, and of all."""
    table = moderate("select", "-r", f"{percent}/100", *way, "--dry-run", data).stdout
    return [line.split()[2] for line in table.splitlines()[1:]]


def test_every_section_is_drawn(page, browse):
    browser = browse(page)
    assert texts(browser, "h1") == ["data0/train"]
    assert texts(browser, "main h2") == [
        "Warnings", "Kept per class", "Options", "Scores", "Classes", "Gallery", "Map",
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
    click(browser, "#reset")
    assert browser.find_element(By.ID, "ratio-out").text == "50 %, 42 images"
    assert texts(browser, "#total-kept") == ["42"]
    assert not browser.find_element(By.ID, "reset").is_displayed()


def test_the_page_shows_the_table_at_every_stop(pages, grays, browse):
    page = pages(grays, "-r", "0.5", "--scope", "global")
    browser = browse(page)
    carried = data_of(page.read_text())
    table = carried["slider"]
    images = [bin["kept"] + bin["dropped"] for bin in carried["bins"]]
    shown = browser.execute_script(
        "return data.slider.percents.map((_, at) => {"
        "  moveTo(at);"
        "  const kept = [...document.querySelectorAll('#class-table tbody tr')]"
        "    .map((row) => Number(row.children[2].textContent));"
        "  const bins = views.scores.data('bins').map(({ kept, dropped }) => [kept, dropped]);"
        "  const [{ low, high }] = views.scores.data('band');"
        "  return [kept, bins, [low, high], document.getElementById('ratio-out').textContent];"
        "})"
    )
    assert len(shown) == 100
    for at, (counts, bins, band, text) in enumerate(shown):
        assert counts == table["counts"][at]
        assert bins == [[kept, all_ - kept] for kept, all_ in zip(
            table["bins"][at], images, strict=True
        )]  # fmt: skip
        assert band == table["bands"][at]
        number = sum(counts)
        assert text == f"{at + 1} %, {number} image{'s' * (number > 1)}"


@pytest.mark.parametrize(
    ("way", "followed"),
    [
        (("--strategy", "random", "--scope", "global"), True),
        (("--strategy", "stratified", "--scope", "global"), True),
        (("--strategy", "two-ends", "--min-per-class", "3", "--scope", "global"), True),
        (("--drop-suspects", "auto"), True),
        (("--strategy", "matching"), False),
        (("--strategy", "matching", "--drop-suspects", "auto"), False),
        (("--strategy", "random"), False),
    ],
    ids=lambda way: " ".join(way) if isinstance(way, tuple) else "",
)
def test_the_slider_tells_what_any_strategy_would_keep(
    way, followed, grays, pages, browse, moderate
):
    browser = browse(pages(grays, "-r", "0.5", *way))
    remaining = " of the 83 remaining images" if "auto" in way else ""
    note = f"Exactly what moderate select would keep{remaining}."
    if not followed:
        note += " Only the counts follow the slider."
    assert texts(browser, "#ratio-note") == [note]
    before = sum(bin["kept"] for bin in drawn(browser, "bins"))
    slide(browser, 25)
    *expected, total = kept_of(moderate, grays, 25, *way)
    assert column(browser, 2) == expected
    assert sum(bin["kept"] for bin in drawn(browser, "bins")) == (
        int(total) if followed else before
    )


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
    write_report(tmp_path / "many.html", subject, map_of(subject), {})
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
    keys = ActionChains(browser)
    keys.send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Skip to the summary"
    slider = browser.find_element(By.ID, "ratio")
    slider.send_keys(Keys.ARROW_RIGHT)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "51 %, 43 images")
    slider.send_keys(Keys.HOME)
    until(lambda: browser.find_element(By.ID, "ratio-out").text == "1 %, 1 image")
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
