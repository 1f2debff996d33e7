"""A visitor of the page, in Chromium."""

from base64 import b64decode, b64encode
from contextlib import contextmanager

from chromium import chromium
from selenium.webdriver.common.by import By
from serving import PATIENCE, wait

WIDE, NARROW, SMALLEST = (1280, 900, 1), (390, 844, 2), (320, 568, 2)
#: Level of each track in dB, as heard over the second second of the song, so that two such levels
#: are of the same sound: an analyser at the track's gain.
HEARD = """
const done = arguments[0];
import("/app.js").then(async ({ player }) => {
  const { context, tracks, rate } = player();
  player().seek(rate);
  const meters = Object.fromEntries(Object.keys(tracks).map((name) => {
    const meter = new AnalyserNode(context, { fftSize: 32768 });
    tracks[name].node.connect(meter);
    return [name, meter];
  }));
  const end = context.currentTime + 1;
  while (context.currentTime < end) await new Promise((resolve) => setTimeout(resolve, 50));
  done(Object.fromEntries(Object.entries(meters).map(([name, meter]) => {
    const wave = new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(wave);
    return [name, 10 * Math.log10(wave.reduce((sum, x) => sum + x * x, 0) / wave.length + 1e-12)];
  })));
});
"""
STATE = """
const done = arguments[0];
import("/app.js").then(({ player }) => {
  const { playing, position, frames, rate, loop } = player();
  done({ playing, position: position / rate, length: frames / rate, loop });
});
"""

#: A file, given as its content, is dragged in; whether the page says at each step that it takes it.
DROP = """
const [content, name] = arguments;
const transfer = new DataTransfer();
transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
const detail = { bubbles: true, cancelable: true, dataTransfer: transfer };
return ["dragenter", "dragover", "drop"].every((kind) =>
  !document.getElementById("drop").dispatchEvent(new DragEvent(kind, detail)));
"""


class Visitor:
    """A browser at the page."""

    def __init__(self, driver, server):
        self.driver, self.server = driver, server

    def open(self, fragment=""):
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}/{fragment}")
        return self

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector):
        self.find(selector).click()

    def text(self, selector):
        return self.find(selector).text

    def sees(self, view):
        wait(lambda: self.find(f"#{view}").is_displayed(), f"the view {view}")

    def give(self, path):
        self.sees("start")
        self.find("#file").send_keys(str(path))

    def drop(self, path):
        """Drag a file over the page and let it go."""
        content = b64encode(path.read_bytes()).decode()
        assert self.driver.execute_script(DROP, content, path.name), "the page takes no drop"

    def listen(self):
        return self.driver.execute_async_script(HEARD)

    def state(self):
        return self.driver.execute_async_script(STATE)

    def press(self, *keys):
        self.find("#wave").send_keys(*keys)

    def level(self, decibels):
        """Move the slider as a hand does: by an input event."""
        self.driver.execute_script(
            "const [slider, value] = arguments; slider.value = value;"
            "slider.dispatchEvent(new Event('input', { bubbles: true }));",
            self.find("#level"),
            decibels,
        )

    def song_id(self):
        return self.driver.current_url.split("#song=")[1]

    def size(self, width, height, density):
        metrics = {"width": width, "height": height, "deviceScaleFactor": density}
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": density > 1}
        )

    def dark(self, on):
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def picture(self, path):
        """The whole page, not only what is in sight."""
        page = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": page["width"], "height": page["height"], "scale": 1}
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        path.write_bytes(b64decode(shot["data"]))


@contextmanager
def browser(downloads):
    """Chromium, as patient as the tests."""
    with chromium(downloads) as chrome:
        chrome.set_script_timeout(PATIENCE)
        yield chrome
