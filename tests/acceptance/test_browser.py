"""A user with a browser: submit a model by the form, watch it run, pick a point, take the bundle home, check it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright

from examples.networks import digits_cnn
from examples.train import train
from methods.graph import file
from methods.graph.intake.capture import capture
from search.data import load_dataset
from search.splits import split
from tests.needs import missing

ROOT = Path(__file__).parents[2]
SCREENSHOTS = os.environ.get("FITWRIGHT_SCREENSHOTS", "")
"""Folder that screenshots are written to, if any: `docs/screenshots`."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
MINUTES_MS = 5 * 60 * 1000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained and captured network for the digits."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = digits_cnn()
    train(network, split(load_dataset("digits"), 0).train, 8, 0)
    path = tmp_path_factory.mktemp("model") / "digits-cnn.fwm"
    file.write(capture(network, torch.zeros(1, 1, 8, 8)), path)
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real service with one worker, as `fitwright serve` starts it."""
    environment = os.environ | {"FITWRIGHT_HOME": str(tmp_path_factory.mktemp("home")), "COLUMNS": "500"}
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
    assert address is not None
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as http:
        assert http.get(f"{address[0]}/healthz").status_code == 200
    yield address[0]
    process.terminate()
    process.wait(timeout=60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it, without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium", "chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, service: str) -> Iterator[Page]:
    """A tab; nothing may be loaded from elsewhere, and nothing may be reported on the console."""
    context = browser.new_context(base_url=service, viewport={"width": 1200, "height": 900}, accept_downloads=True)
    page = context.new_page()
    foreign: list[str] = []
    told: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((service, "data:", "blob:")) else foreign.append(r.url))
    page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    yield page
    context.close()
    assert foreign == []
    assert [text for text in told if "status of 422" not in text] == []


def shoot(page: Page, name: str) -> None:
    """Keeps a screenshot where they are wanted."""
    if SCREENSHOTS:
        (ROOT / SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ROOT / SCREENSHOTS / f"{name}.png", full_page=True)


def test_from_the_form_to_a_checked_bundle(page: Page, model: Path, tmp_path: Path):
    """Every step by mouse and keyboard alone, up to the files on disk."""
    page.goto("/")
    shoot(page, "empty")
    page.get_by_role("link", name="Start the first search").click()
    page.get_by_label("Upload a model").set_input_files(model)
    page.get_by_label("Data set").select_option("digits")
    page.get_by_label("Device", exact=True).select_option("cortex-m7-analytical")
    page.get_by_label("Latency").fill("0.5x")
    page.get_by_label("File size").fill("0.4x")
    page.get_by_label("Evaluations").fill("16")
    page.get_by_label("Name", exact=True).fill("digits on a microcontroller")
    shoot(page, "form")
    page.get_by_role("button", name="Start the search").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("digits on a microcontroller")
    expect(page.locator("progress")).to_be_visible()
    expect(page.locator("#trials tbody tr").first).to_be_visible(timeout=MINUTES_MS)
    shoot(page, "running")
    expect(page.get_by_role("link", name="Download the bundle")).to_be_visible(timeout=MINUTES_MS)
    expect(page.locator(".verdict")).to_contain_text("All limits are kept")

    look_at_the_model(page)
    pick_a_point(page)
    shoot(page, "search")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download the bundle").click()
    started.value.save_as(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "bundle")
    checked = subprocess.run(
        [sys.executable, "-m", "service.cli", "check", str(tmp_path / "bundle")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr

    look_at_the_report(page, tmp_path / "bundle" / "report.html")
    page.goto("/")
    expect(page.get_by_role("table")).to_contain_text("✓ fits")
    shoot(page, "home")


def pick_a_point(page: Page) -> None:
    """Clicks a point of the front figure: its recipe appears, and the address names it."""
    plot = page.locator("figure[data-plot='front'] .plot")
    series = plot.evaluate("plot => plot.data.findIndex(series => series.name === 'within all limits')")
    point = plot.locator(".trace.scatter").nth(series).locator("path.point").first
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(re.compile(r"trial=\d+"))
    number = re.search(r"trial=(\d+)", page.url)
    assert number is not None
    expect(page.locator("#trial h3").first).to_contain_text(f"Trial {number[1]}")
    expect(page.locator("#trials tr[aria-current='true'] a")).to_have_text(number[1])


def look_at_the_model(page: Page) -> None:
    """What the model offers is a link away from its search; the page fills itself in as soon as it is known."""
    page.get_by_role("link", name="what the model offers").click()
    expect(page.get_by_role("heading", name="Channels")).to_be_visible(timeout=MINUTES_MS)
    expect(page.locator(".verdict")).to_contain_text("can be pruned")
    page.go_back()


def look_at_the_report(page: Page, report: Path) -> None:
    """The report draws its figures without a server or a network."""
    alone = page.context.browser.new_context(offline=True, viewport={"width": 1200, "height": 900})  # type: ignore[union-attr]
    tab = alone.new_page()
    tab.goto(report.as_uri())
    expect(tab.locator("figure[data-plot='front'] .main-svg").first).to_be_visible()
    expect(tab.locator("h1")).to_have_text("The network fits")
    shoot(tab, "report")
    alone.close()


def test_errors_of_the_form_are_told_where_they_are(page: Page, model: Path):
    """A wrong unit comes back beside its field, with everything else still filled in."""
    page.goto("/searches/new")
    page.get_by_label("Upload a model").set_input_files(model)
    page.get_by_label("Data set").select_option("digits")
    page.get_by_label("Latency").fill("5 msec")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Start the search").click()
    expect(page.get_by_label("Latency")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#error-limit_latency")).to_contain_text("msec isn't a unit of latency")
    expect(page.get_by_label("Latency")).to_have_value("5 msec")
    expect(page.get_by_label("Seed")).to_have_value("7")
    expect(page.get_by_label("or choose one that is here already")).not_to_have_value("")
    shoot(page, "form-errors")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_narrow_screen(browser: Browser, service: str, scheme: str):
    """At 360 pixels no page is wider than the screen, in light or in dark."""
    context = browser.new_context(base_url=service, viewport={"width": 360, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for address in ("/", "/searches/new", "/models", "/devices", "/schedules"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    shoot(page, f"narrow-{scheme}")
    context.close()
