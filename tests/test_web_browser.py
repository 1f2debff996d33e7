"""The page in a real browser: what people see, hear and save.

Pictures of it go to the folder that the environment's ARTEFACTS names, where it names one.
"""

import json
from base64 import b64decode

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from chromium import BROWSER, DRIVER
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from serving import RATE, serving, song, wait
from stand_ins import tiny_weights
from visitor import NARROW, SMALLEST, WIDE, Visitor, browser

from asteroid_karaoke import audio
from asteroid_karaoke.web import pictures

if not (BROWSER and DRIVER):
    pytest.skip("no chromium and chromedriver here", allow_module_level=True)

#: The player on a context that renders at once, when all pieces asked for are on its clock.
RENDER = """
const [url, frames, level, loop, sources, done] = arguments;
import("/player.js").then(async ({ Player }) => {
  let made = 0;
  const context = new OfflineAudioContext(2, frames, 44100);
  const create = context.createBufferSource.bind(context);
  context.createBufferSource = () => { made += 1; return create(); };
  context.resume = async () => {};
  window.AudioContext = function () { return context; };
  const player = new Player();
  player.open({ url, rate: 44100, frames, scale: 0.5 });
  player.setLevel("voice", level);
  if (loop) player.setLoop(...loop);
  player.play();
  while (made < sources) await new Promise((resolve) => setTimeout(resolve, 20));
  const bytes = new Uint8Array((await context.startRendering()).getChannelData(0).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  done(btoa(text));
});
"""


def api(ready):
    return f"/api/songs/{ready.removeprefix('#song=')}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    weights = tiny_weights(tmp_path_factory.mktemp("weights"))
    with serving(weights, tmp_path_factory.mktemp("songs")) as served:
        yield served


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(downloads):
    with browser(downloads) as chrome:
        yield chrome


@pytest.fixture
def visitor(driver, server):
    """One at the start page, with a wide window; nothing may have gone wrong that is not told."""
    one = Visitor(driver, server)
    one.size(*WIDE)
    driver.get_log("browser")
    yield one.open()
    server.gate.open()
    # A refusal that the page tells of is logged as well.
    faults = [line for line in driver.get_log("browser") if "status of 4" not in line["message"]]
    assert not [line for line in faults if line["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    return song(tmp_path_factory.mktemp("tune") / "Ein Lied.wav", 8)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Of three blocks."""
    return song(tmp_path_factory.mktemp("long") / "Ein langes Lied.flac", 26, 16000)


@pytest.fixture(scope="module")
def ready(server, tune):
    """The address' fragment of a song that is through."""
    return f"#song={server.until(server.upload(tune)[2], 'ready')['id']}"


def test_what_is_dropped(visitor, tune, long):
    """A song is taken, one more in its player's place."""
    visitor.drop(tune)
    wait(lambda: visitor.text("#song") == "Ein Lied", "the song")
    first = visitor.song_id()
    visitor.click("#play")
    visitor.drop(long)
    wait(lambda: visitor.text("#song") == "Ein langes Lied", "the other song")
    assert visitor.song_id() != first and not visitor.state()["playing"]


def test_a_song_is_chosen_heard_turned_down_and_saved(visitor, tune, downloads, artefacts):
    visitor.picture(artefacts / "start_1280.png")
    visitor.give(tune)
    visitor.sees("player")
    assert visitor.text("#song") == "Ein Lied" and visitor.text("#level-told") == "off"
    visitor.click("#play")
    wait(lambda: visitor.state()["position"] > 0.1, "the song to play")

    off = visitor.listen()
    assert off["voice"] < -100 and off["karaoke"] > -40
    visitor.level(0)
    full = visitor.listen()
    visitor.level(-12)
    down = visitor.listen()
    assert full["voice"] > -50
    assert down["voice"] - full["voice"] == pytest.approx(-12, abs=0.7)
    assert down["karaoke"] == pytest.approx(full["karaoke"], abs=0.7)
    assert visitor.text("#level-told") == "−12 dB"
    visitor.press("a", Keys.ARROW_RIGHT, "b")
    wait(lambda: visitor.text("#figure-told") == "brighter is louder", "the spectrograms")
    visitor.picture(artefacts / "player_1280.png")

    visitor.level(-48)
    stems = []
    visitor.find("#format").send_keys("WAV, 32")
    for stem in ("karaoke", "vocals"):
        visitor.click(f"[data-save={stem}]")
        path = downloads / f"Ein Lied_{stem}.wav"
        # Chromium makes an empty file of that name first, and moves the whole one over it.
        wait(lambda path=path: path.exists() and path.stat().st_size, f"{path.name} to be saved")
        stems.append(audio.read(path))
    np.testing.assert_allclose(stems[0] + stems[1], audio.read(tune), atol=1e-6)


def rendered(visitor, ready, level, loop, pieces):
    """What the page's player puts on the clock, rendered at once: float32 ``(time,)``, left."""
    sound = f"{api(ready)}/sound?key=0&tempo=1"
    data = visitor.driver.execute_async_script(RENDER, sound, 8 * RATE, level, loop, 2 * pieces)
    return np.frombuffer(b64decode(data), np.float32)


@pytest.mark.parametrize("level", [1.0, 0.25])
def test_pieces_and_tracks_join_to_the_sample(visitor, server, ready, tune, level):
    """Both tracks together are the song, across the seam between two pieces at 4 s."""
    heard = rendered(visitor, ready, level, None, 2)
    voice = np.frombuffer(server.ask(f"{api(ready)}/sound?key=0&tempo=1")[2], "<i2")[::4] / 16384
    wanted = audio.read(tune)[0] - (1 - level) * voice
    # It fades in for a moment.
    first, delay = round(0.1 * RATE), np.ceil(0.012 * RATE).astype(int)
    found = heard[delay + first : delay + 7 * RATE]
    np.testing.assert_allclose(found, wanted[first : 7 * RATE], atol=2e-4)


def test_a_loop_has_no_gap(visitor, ready, tune):
    one, two = round(1.5 * RATE), round(2.25 * RATE)
    heard = rendered(visitor, ready, 1.0, [one, two], 8)
    wanted = np.tile(audio.read(tune)[0, one:two], 8)
    first, delay = round(0.1 * RATE), np.ceil(0.012 * RATE).astype(int)
    found = heard[delay + first : delay + 5 * RATE]
    np.testing.assert_allclose(found, wanted[first : 5 * RATE], atol=2e-4)


def test_solo_and_mute(visitor, ready):
    visitor.open(ready).sees("player")
    visitor.level(0)
    visitor.click("#play")
    heard = {}
    for name, selector in (("solo", "[data-solo=voice]"), ("mute", "[data-mute=voice]")):
        visitor.click(selector)
        assert visitor.find(selector).get_attribute("aria-pressed") == "true"
        heard[name] = visitor.listen()
    assert heard["solo"]["voice"] > -50 and heard["solo"]["karaoke"] < -100
    assert heard["mute"]["voice"] < -100 and heard["mute"]["karaoke"] < -100


def test_keys_play_move_and_loop(visitor, ready):
    visitor.open(ready).sees("player")
    visitor.press(Keys.ARROW_RIGHT)
    assert visitor.state()["position"] == pytest.approx(5, abs=0.01)
    visitor.press("a", Keys.SHIFT, Keys.ARROW_RIGHT, Keys.NULL)
    visitor.press("b")
    assert visitor.text("#loop-range") == "Loop 0:05 – 0:06"
    visitor.press(Keys.SPACE)
    places = []

    def round_again():
        """It has been round: later on it stands earlier."""
        places.append(visitor.state()["position"])
        return places[-1] < max(places)

    wait(round_again, "the loop to begin anew")
    assert all(5 <= place <= 6.01 for place in places)
    visitor.press(Keys.SPACE)
    assert not visitor.state()["playing"]
    visitor.press(Keys.ESCAPE, Keys.HOME)
    assert visitor.state()["position"] == 0 and visitor.text("#loop-range") == ""
    visitor.press(*[Keys.ARROW_UP] * 3)
    assert visitor.text("#level-told") == "−45 dB"


def test_key_and_tempo_go_on_at_the_same_place(visitor, ready):
    pytest.importorskip("python_stretch")
    visitor.open(ready).sees("player")
    visitor.click('[data-skip="5"]')
    for _ in range(4):
        visitor.click('[data-step="tempo:5"]')
    visitor.click('[data-step="key:1"]')
    wait(lambda: visitor.state()["length"] < 7.9, "the song in another tempo")
    assert visitor.state()["length"] == pytest.approx(8 / 1.2, abs=0.001)
    assert visitor.state()["position"] == pytest.approx(5 / 1.2, abs=0.001)
    assert visitor.text("#key") == "+1" and visitor.text("#tempo") == "120 %"
    visitor.click("#play")
    assert visitor.listen()["karaoke"] > -40


def test_a_file_that_is_no_song_gets_a_line_and_another_try(visitor, tmp_path, tune, artefacts):
    letter = tmp_path / "letter <b>.mp3"
    letter.write_bytes(b"Dear Sir or Madam")
    visitor.give(letter)
    wait(lambda: visitor.text("#trouble"), "a complaint")
    assert visitor.text("#trouble").startswith("letter <b>.mp3 is not audio")
    assert not visitor.find("#work").is_displayed()
    visitor.picture(artefacts / "error_1280.png")
    visitor.size(*NARROW)
    visitor.picture(artefacts / "error_390.png")
    visitor.open("#song=nobody-has-this")
    wait(lambda: "no longer here" in visitor.text("#trouble"), "a complaint")
    visitor.give(tune)
    visitor.sees("player")
    assert visitor.text("#trouble") == ""


def test_a_reload_in_the_middle_finds_the_song_again(visitor, server, long, artefacts):
    server.gate.close()
    server.gate.let(1)
    visitor.give(long)
    wait(lambda: "left" in visitor.text("#work-left"), "the first block")
    before, share = visitor.song_id(), visitor.find("#bar").get_attribute("aria-valuenow")
    assert 20 < int(share) < 60
    visitor.picture(artefacts / "progress_1280.png")
    visitor.size(*NARROW)
    visitor.picture(artefacts / "progress_390.png")
    visitor.driver.refresh()
    wait(lambda: visitor.text("#work-share") == f"{share} %", "the song's share")
    assert visitor.song_id() == before and visitor.text("#work-name") == "Ein langes Lied"
    server.gate.open()
    visitor.sees("player")
    visitor.driver.refresh()
    visitor.sees("player")
    assert visitor.text("#song") == "Ein langes Lied"


def test_cancel_stops_the_work(visitor, server, long):
    server.gate.close()
    server.gate.let(1)
    visitor.give(long)
    wait(lambda: "left" in visitor.text("#work-left"), "the first block")
    name = visitor.song_id()
    visitor.click("#cancel")
    visitor.sees("start")
    assert "#" not in visitor.driver.current_url
    server.gate.let(1)
    wait(lambda: name not in [path.name for path in server.folders()], "the song to be deleted")


def test_two_users_at_once_wait_in_line_and_get_their_own(visitor, server, tune, long, tmp_path):
    server.gate.close()
    visitor.give(long)
    wait(lambda: visitor.text("#work-what") == "Taking the voice out", "the first song's turn")
    with browser(tmp_path) as driver:
        other = Visitor(driver, server).open()
        other.give(tune)
        wait(lambda: other.text("#work-what") == "Number 2 in the queue", "a place in the queue")
        server.gate.open()
        for one, name in ((visitor, "Ein langes Lied"), (other, "Ein Lied")):
            one.sees("player")
            assert one.text("#song") == name
        assert visitor.song_id() != other.song_id()


def test_phone_and_dark(visitor, ready, artefacts):
    visitor.size(*NARROW)
    visitor.open()
    visitor.picture(artefacts / "start_390.png")
    visitor.open(ready).sees("player")
    visitor.driver.execute_script("document.getElementById('figure').scrollIntoView()")
    wait(lambda: visitor.text("#figure-told") == "brighter is louder", "the spectrograms")
    visitor.picture(artefacts / "player_390.png")
    wide, sight = visitor.driver.execute_script(
        "return [document.documentElement.scrollWidth, innerWidth]"
    )
    assert wide <= sight == 390
    # On a small phone, too, nothing leaves its card, and nothing is to be scrolled sideways.
    visitor.size(*SMALLEST)
    outside = """
    return [...document.querySelectorAll("#player .card *")].filter((one) => {
      const card = one.closest(".card").getBoundingClientRect();
      const { left, right } = one.getBoundingClientRect();
      const hidden = !one.checkVisibility() || one.closest("svg");
      return !hidden && (left < card.left + 16 || right > card.right - 16
        || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "auto");
    }).map((one) => one.outerHTML.slice(0, 80))
    """
    assert visitor.driver.execute_script(outside) == []
    visitor.size(*NARROW)
    for button in visitor.driver.find_elements(By.CSS_SELECTOR, "#player button"):
        assert button.size["height"] >= 36 and button.size["width"] >= 36
    visitor.size(*WIDE)
    try:
        with pictures._LOCK:
            visitor.dark(True)
            # The light ones do not stay where the page is dark.
            wait(lambda: visitor.text("#figure-told") == "being drawn …", "them to be drawn anew")
            assert not visitor.find("#picture").is_displayed()
        wait(lambda: visitor.text("#figure-told") == "brighter is louder", "the dark spectrograms")
        assert visitor.find("#picture").get_attribute("src").endswith("theme=dark&size=wide")
        visitor.picture(artefacts / "player_1280_dark.png")
        paper = visitor.driver.execute_script("return getComputedStyle(document.body).background")
        assert paper.startswith("rgb(21, 20, 18)")
    finally:
        visitor.dark(False)


def test_nothing_jumps_and_everything_has_a_name(visitor, ready):
    visitor.open(ready).sees("player")
    visitor.click("#play")
    visitor.press("a", Keys.ARROW_RIGHT, "b")
    visitor.level(-6)
    wait(lambda: visitor.text("#figure-told") == "brighter is louder", "the spectrograms")
    shift = """
    const done = arguments[0];
    new PerformanceObserver((list) => done(
      list.getEntries().reduce((sum, entry) => sum + entry.value, 0)
    )).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(0), 500);
    """
    # 0.1 is what Google calls good (https://web.dev/articles/cls).
    assert visitor.driver.execute_async_script(shift) < 0.02
    nameless = """
    return [...document.querySelectorAll("button, input, select, [role=slider]")].filter((one) =>
      !one.getAttribute("aria-label") && !one.labels?.length && !one.textContent.trim()
    ).map((one) => one.outerHTML)
    """
    assert visitor.driver.execute_script(nameless) == []


def test_the_page_asks_nobody_else(visitor, ready):
    visitor.driver.get_log("performance")
    visitor.open(ready).sees("player")
    visitor.click("#play")
    wait(lambda: visitor.text("#figure-told") == "brighter is louder", "the spectrograms")
    events = [
        json.loads(line["message"])["message"] for line in visitor.driver.get_log("performance")
    ]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {f"{visitor.server.url}/player.js", f"{visitor.server.url}/api/about"} <= asked
    assert [url for url in asked if not url.startswith(f"{visitor.server.url}/")] == []
