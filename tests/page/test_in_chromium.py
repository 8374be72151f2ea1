"""The page as people see it: in a real browser, wide and narrow, light and dark, with and without JavaScript."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from chromium import IDLE, Chromium, Tab
from staged import EVIL, WEB, StagedView, drifts, overall

from reconciler.model.event import Event, EventType

PAGES = [
    "/",
    "/sources",
    "/objects",
    "/drift",
    "/history",
    "/planner",
    "/objects/Deployment/shop/web",
    "/objects/Pod/a/b",
]
# The ratio that WCAG 2.2 asks of text (1.4.3), of every element that has text of its own.
CONTRAST: Final = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (colour) => {
    const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const [r, g, b] = [...rgba(colour)].map((v) => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "black" : "white";
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (!element.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.push([element.localName, element.className, element.textContent.slice(0, 40), ratio]);
  }
  return found;
})()"""


pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def view() -> StagedView:
    return StagedView(overall())


@pytest_asyncio.fixture(loop_scope="session")
async def url(served: Any, view: StagedView) -> AsyncIterator[str]:
    async with served(view) as address:
        yield address


def complaints(tab: Tab) -> list[str]:
    """What the browser found wrong, beside pages that are not there on purpose."""
    return [each for each in tab.complaints if "404 (Not Found)" not in each]


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
async def test_nothing_scrolls_sideways_and_nothing_is_complained_of(
    chromium: Chromium, url: str, scripts: bool
) -> None:
    async with chromium.tab(scripts=scripts) as tab:
        for width, path in itertools.product((320, 390, 1280), PAGES):
            await tab.size(width, phone=width < 600)
            await tab.open(url + path)
            await tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            scrolls, room = await tab.run(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert scrolls <= room <= width, (path, width)
            assert complaints(tab) == [], (path, width)
            assert await tab.run("document.title") != "owned"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(chromium: Chromium, url: str, scheme: str) -> None:
    async with chromium.tab() as tab:
        await tab.colours(scheme)
        for path in PAGES:
            await tab.open(url + path)
            assert await tab.run(CONTRAST) == [], path
        ground = await tab.run("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(18, 21, 26)") is (scheme == "dark")


async def test_a_screen_reader_finds_its_way(chromium: Chromium, url: str) -> None:
    async with chromium.tab() as tab:
        await tab.send("Accessibility.enable")
        for path in PAGES[:7]:
            await tab.open(url + path)
            nodes = (await tab.send("Accessibility.getFullAXTree"))["nodes"]
            found = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
            roles = [role for role, _ in found]
            for landmark in ("banner", "navigation", "main", "contentinfo", "status"):
                assert landmark in roles, (path, landmark)
            unnamed = {"link", "button", "searchbox", "combobox", "textbox", "navigation", "region", "table"}
            assert [(role, path) for role, name in found if role in unnamed and not name] == []
            levels = await tab.run("[...document.querySelectorAll('h1, h2, h3')].map((each) => +each.localName[1])")
            assert levels[0] == 1
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), (path, levels)


async def test_by_keyboard_alone(chromium: Chromium, url: str) -> None:
    async with chromium.tab() as tab:
        await tab.open(f"{url}/objects")
        await tab.press("Tab", 9)
        assert await tab.run("document.activeElement.textContent") == "Skip to the content"
        assert await tab.run("document.activeElement.getBoundingClientRect().left") >= 0, "it is seen"
        await tab.press("Enter", 13)
        await tab.press("Tab", 9)
        assert await tab.run("document.activeElement.id") == "q", "the menu is skipped"
        assert await tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await tab.send("Input.insertText", text="cart")
        await tab.press("Enter", 13)
        await tab.until("location.search.startsWith('?q=cart') && document.readyState === 'complete'")
        assert await tab.run("document.querySelector('#found h2').textContent") == "1 object of 9"


async def test_the_search_needs_no_javascript(chromium: Chromium, url: str) -> None:
    async with chromium.tab(width=390, scripts=False) as tab:
        await tab.open(url)
        await tab.run("document.querySelector('#q').focus()")
        await tab.send("Input.insertText", text="cart")
        await tab.press("Enter", 13)
        await tab.until("location.pathname === '/objects' && document.readyState === 'complete'")
        assert "Deployment/shop/cart" in await tab.run("document.querySelector('#found').textContent")
        assert await tab.run("document.querySelector('header .chip')") is None, "nothing says that it is live"


async def test_a_change_is_told_to_the_page(chromium: Chromium, url: str, view: StagedView) -> None:
    async with chromium.tab() as tab:
        await tab.open(url)
        await tab.until("document.querySelector('header .chip').textContent === 'live'")
        took = []
        for number in range(3):
            message = f"spec.replicas is {number}"
            event = Event(EventType.DRIFTED, overall().now, "shop", message, WEB)
            view.change(replace(view.shown, events=(event, *view.shown.events), drifts=drifts()[:number]))
            view.journal(event)
            took.append(await tab.until(f"document.querySelector('#history').textContent.includes('{message}')"))
            await tab.until(f"document.querySelector('[role=status]').textContent.includes('{message}')")
            title = await tab.run("document.querySelector('#drift h2').textContent")
            assert title == ("No drift", "1 object not as Git states", "2 objects not as Git states")[number]
        assert max(took) < IDLE / 2, "the page was told: nobody waited for it to look by itself"
        assert complaints(tab) == []


async def test_what_a_person_did_stays(chromium: Chromium, url: str, view: StagedView) -> None:
    async with chromium.tab() as tab:
        await tab.open(url)
        await tab.run("document.querySelector('#namespace-shop').open = true")
        await tab.run("document.querySelector('#q').focus()")
        await tab.send("Input.insertText", text="half a wo")
        rows = view.shown.rows
        view.change(replace(view.shown, rows=rows[:-1]))
        await tab.until("document.querySelector('#objects h2').textContent === '8 objects'")
        assert await tab.run("document.querySelector('#namespace-shop').open")
        assert await tab.run("[document.activeElement.id, document.activeElement.value]") == ["q", "half a wo"]
        await tab.run("document.querySelector('#namespace-shop > summary').focus()")
        view.change(replace(view.shown, rows=rows))
        await tab.until("document.querySelector('#objects h2').textContent === '9 objects'")
        assert await tab.run("document.activeElement.localName") == "summary"


async def test_a_part_that_comes_and_goes(chromium: Chromium, url: str, view: StagedView) -> None:
    async with chromium.tab() as tab:
        await tab.open(f"{url}/objects/Deployment/shop/web")
        assert await tab.run("document.querySelector('#drift h2').textContent") == "Drift"
        view.change(replace(view.shown, drifts=()))
        await tab.until("document.querySelector('#drift') === null")
        view.change(replace(view.shown, drifts=drifts()))
        await tab.until("document.querySelector('#drift') !== null")


async def test_a_daemon_that_is_gone_is_said(chromium: Chromium, served: Any, view: StagedView) -> None:
    async with chromium.tab() as tab:
        async with served(view) as address:
            await tab.open(address)
            await tab.until("document.querySelector('header .chip').textContent === 'live'")
        await tab.until("document.querySelector('header .chip').textContent === 'not connected'")
        assert EVIL[:5] in await tab.run("document.querySelector('main').textContent"), "what was known stays"


async def test_a_tab_that_nobody_sees_holds_no_connection(chromium: Chromium, url: str, view: StagedView) -> None:
    hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}})"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    streams = "performance.getEntriesByType('resource').filter((each) => each.name.endsWith('/events')).length"
    async with chromium.tab() as tab:
        await tab.open(url)
        await tab.until("document.querySelector('header .chip').textContent === 'live'")
        await tab.run(f"{hide.format('true')}; {tell}")
        await tab.until(f"{streams} === 1", seconds=10)  # a resource is listed when it has ended
        view.change(replace(view.shown, rows=()))
        await tab.run(f"{hide.format('false')}; {tell}")
        await tab.until("document.querySelector('#objects h2').textContent === '0 objects'")


async def test_in_by_the_token_and_out_again(chromium: Chromium, served: Any, view: StagedView, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-long-and-secret-word")
    async with served(view, tmp_path / "token") as address, chromium.tab(width=320) as tab:
        await tab.open(f"{address}/drift")
        assert await tab.run("document.querySelector('h1').textContent") == "Log in"
        assert await tab.run("document.documentElement.scrollWidth") <= 320
        await tab.run("document.querySelector('#token').focus()")
        await tab.send("Input.insertText", text="a-long-and-secret-word")
        await tab.press("Enter", 13)
        await tab.until("location.pathname === '/drift' && document.readyState === 'complete'")
        await tab.until("document.querySelector('header .chip')?.textContent === 'live'")
        assert await tab.run("document.cookie") == "", "no script sees it"
        await tab.run("document.querySelector('footer button').click()")
        await tab.until("location.pathname === '/login' && document.readyState === 'complete'")
        assert complaints(tab) == []
