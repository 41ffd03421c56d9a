"""The page in a browser without a screen: nothing is asked for, nothing fails, and what moves moves."""

import json
import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROME = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(not (CHROME and DRIVER), reason="needs Chromium and its driver")

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
PATIENCE = 60


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROME)
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium):
    """The browser, its logs read and its window wide."""
    show(chromium, 1400)
    for log in ("browser", "performance"):
        chromium.get_log(log)
    return chromium


def show(browser, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # which clicks wait for
    media = {"features": [{"name": name, "value": value} for name, value in wanted.items()]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def opened(browser, path: Path) -> None:
    """Open a page and wait for its charts."""
    browser.get(path.as_uri())
    drawn = "return document.documentElement.dataset.drawn === 'yes'"
    WebDriverWait(browser, PATIENCE).until(lambda each: each.execute_script(drawn))


def asked_for(browser) -> list[str]:
    """All addresses that the browser has asked for."""
    said = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    sent = [each["params"] for each in said if each["method"] == "Network.requestWillBeSent"]
    return [each["request"]["url"] for each in sent]


def test_it_asks_for_nothing_and_complains_of_nothing(browser, page):
    opened(browser, page.path)
    charts = sum(map(len, page.charts.values()))
    assert len(browser.find_elements(By.CSS_SELECTOR, ".chart svg")) == charts >= 3
    asked = asked_for(browser)
    assert page.path.as_uri() in asked, "the log is one of requests"
    assert [each for each in asked if each != page.path.as_uri() and not each.startswith("data:")] == []
    assert browser.get_log("browser") == []


def test_the_slider_moves_the_pictures(browser, page):
    opened(browser, page.path)
    slider = browser.find_element(By.CSS_SELECTOR, ".slider")

    def shown() -> list[str]:
        return [i.get_attribute("src") for i in slider.find_elements(By.TAG_NAME, "img") if i.is_displayed()]

    last = shown()
    assert len(last) == 2, "samples and reconstructions"
    control = slider.find_element(By.CSS_SELECTOR, "input")
    control.send_keys("\ue011")  # Home
    assert slider.find_element(By.TAG_NAME, "output").text == "step 0"
    assert len(shown()) == 2
    assert not set(shown()) & set(last)
    assert control.get_attribute("aria-valuetext") == "0"
    slider.find_element(By.CSS_SELECTOR, ".play").click()
    WebDriverWait(browser, PATIENCE).until(lambda _: shown() == last)


def test_hovering_the_map_shows_the_datum(browser, page):
    opened(browser, page.path)
    point = browser.find_elements(By.CSS_SELECTOR, "#codes .mark-symbol path")[5]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", point)
    ActionChains(browser).move_to_element(point).perform()
    found = (By.CSS_SELECTOR, "#vg-tooltip-element.visible img")
    WebDriverWait(browser, PATIENCE).until(lambda each: each.find_elements(*found))
    image = browser.find_element(*found)
    (chart,) = page.charts["codes"].values()
    known = {value["image"]: value for value in chart["data"]["values"]}
    datum = known[image.get_attribute("src")]
    told = browser.find_element(By.ID, "vg-tooltip-element").text
    assert f"label\n{datum['label']}" in told or f"label {datum['label']}" in told
    assert image.size["width"] > 50


WIDER = """
    return [...document.querySelectorAll('main img, main svg')]
      .filter(each => each.getBoundingClientRect().right > innerWidth + 1).length"""


@pytest.mark.parametrize("width", [1400, 400])
def test_nothing_is_wider_than_the_page(browser, page, width):
    show(browser, width)
    opened(browser, page.path)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(WIDER) == 0


def test_it_is_dark_where_the_system_is(browser, page):
    opened(browser, page.path)
    ground = "return getComputedStyle(document.body).backgroundColor"
    label = "return getComputedStyle(document.querySelector('.chart .role-axis-label text')).fill"
    light = [browser.execute_script(each) for each in (ground, label)]
    show(browser, 1400, "dark")
    WebDriverWait(browser, PATIENCE).until(lambda each: each.execute_script(label) != light[1])
    assert browser.execute_script(ground) != light[0]
    assert browser.get_log("browser") == []


def test_hostile_text_does_nothing(browser, hostile):
    opened(browser, hostile.path)
    assert browser.execute_script("return window.hacked") is None
    assert [each for each in asked_for(browser) if not each.startswith(("data:", "file:"))] == []
    assert browser.get_log("browser") == []


def test_points_and_several_runs_open_as_well(browser, points, gan, tmp_path):
    from pages import made

    several = made(tmp_path, points, gan)
    show(browser, 400)
    opened(browser, several.path)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    assert browser.get_log("browser") == []
