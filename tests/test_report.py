"""The report: whatever scoring left becomes one page that a browser shows, and nothing runs in."""

import csv
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from asteroid_karaoke import audio, baselines, cli, results, scores
from asteroid_karaoke.report import charts, collect, page, sections

RATE = 8000
#: File names may hold whatever does not end them.
HOSTILE = "<img src=x onerror=document.title='broken'> & \"$x_1$' {{ 7*7 }}"
NAMES = ("a slow song", "b", HOSTILE)


def stems_of(seed: int) -> np.ndarray:
    """A hum that comes and goes as the voice, and noise as the backing, 3 s."""
    rng = np.random.default_rng(seed)
    time = np.arange(3 * RATE) / RATE
    voice = 0.2 * np.sin(2 * np.pi * (200 + 40 * seed) * time) * (0.6 + 0.4 * np.sin(4 * time))
    voice += 0.01 * rng.standard_normal(len(time))
    backing = 0.05 * (1 + seed) * rng.standard_normal(len(time))
    return np.stack([voice, backing])[:, None].astype(np.float32)


def leaky(mixture, sources, rate):
    return sources + 0.2 * sources[::-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three songs by floor, ceiling and a model, as `evaluation.score_systems` keeps them."""
    folder = tmp_path_factory.mktemp("evidence")
    systems = {**baselines.BASELINES, "my model": leaky}
    for seed, name in enumerate(NAMES):
        sources = stems_of(seed)
        place = folder / "songs" / str(seed)
        for stem, wav in zip(("vocals", "accompaniment"), sources, strict=True):
            place.mkdir(parents=True, exist_ok=True)
            audio.write(place / f"{stem}.wav", wav, RATE)
        song = {"corpus": "my corpus", "start": 0, "stop": sources.shape[-1]}
        song |= {s: [str(place / f"{s}.wav")] for s in ("vocals", "accompaniment")}
        for system in ("mixture", "ideal_ratio_mask", "my model"):
            estimates = systems[system](sources.sum(axis=0), sources, RATE)
            record = scores.score_song(sources, estimates, RATE, name)
            scores.save_song(record, folder / "kept" / system, {"song": song})
            if system == "my model":
                put(folder / "estimates" / name, *estimates)
    return folder


def put(folder, vocals, karaoke):
    folder.mkdir(parents=True, exist_ok=True)
    audio.write(folder / "vocals.flac", vocals, RATE)
    audio.write(folder / "karaoke.flac", karaoke, RATE)


@pytest.fixture(scope="module")
def found(folder):
    return collect.collect([folder / "kept"], folder / "estimates")


@pytest.fixture(scope="module")
def report(found):
    return page.make_report(found)


class Tree(HTMLParser):
    """All elements of a page with their attributes, and the text of each."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_needs_nothing_beside_it(report):
    for _tag, attributes in Tree(report.html).elements:
        for name in ("src", "href", "xlink:href"):
            address = attributes.get(name, "#")
            assert address[0] == "#" or address.startswith(("data:audio/mpeg", "data:image/webp"))
    assert "@import" not in report.html
    assert not re.search(r"url\((?!#)", report.html)


def test_names_of_songs_are_text_and_nothing_else(report):
    tree = Tree(report.html)
    assert not tree.all("script")
    assert not [1 for _, attributes in tree.elements if "onerror" in attributes]
    assert HOSTILE in "".join(tree.texts)
    assert f"SDR of each second of {HOSTILE}, vocals and accompaniment" in [
        svg["aria-label"] for svg in tree.all("svg")
    ]


def test_everybody_can_read_it(report):
    """Names for what is seen, heads for what is a table, and keys for what is scrolled."""
    tree = Tree(report.html)
    assert tree.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in tree.all("img"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in tree.all("svg"))
    assert all(sound["aria-label"] for sound in tree.all("audio"))
    assert all(head["scope"] in ("col", "row", "colgroup") for head in tree.all("th"))
    scrolled = [div for div in tree.all("div") if "scroll" in div.get("class", "")]
    assert scrolled
    assert all(div["tabindex"] == "0" and div["aria-label"] for div in scrolled)
    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = re.findall(r'(?:xlink:href="|url\()#([^")]+)', report.html)
    assert pointed
    assert {*pointed} <= {*ids}


def test_the_table_holds_floor_systems_and_ceiling_with_their_scores(report, folder):
    rows = re.findall(r'<tr[^>]*><th scope="row">(.*?)</tr>', report.html)
    heads = [re.split("<", row)[0] for row in rows]
    assert heads == ["mixture as estimate", "my model", "ideal ratio mask"]
    records = [scores.load_song(folder / "kept" / "my model", name, None) for name in NAMES]
    assert records == [None] * 3, "what was scored is part of what is kept"
    found = collect.collect([folder / "kept"])["my corpus"]["my model"]
    final = results.aggregate_rows([score.row for score in found.values()])
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", rows[1])
    keys = [f"{stem}_{key}" for stem in scores.STEMS for key in ("SDR", "SIR", "SAR", "uSDR_mean")]
    assert cells == [page.decibel(final[key]) for key in keys]
    assert results.table({"my model": final}, True).splitlines()[2].split("|")[2:4] == [
        f" {final['vocals_SDR']:>10.2f} ",
        f" {final['vocals_SIR']:>10.2f} ",
    ]
    for part in re.findall(r"\| my model .*", report.markdown):
        assert f"{final['accompaniment_uSDR_mean']:.2f}" in part


def test_who_is_scored_on_fewer_seconds_is_said():
    """museval leaves out frames in which an estimate is silent, which flatters who falls silent."""
    stems = stems_of(0)
    quiet = leaky(stems.sum(axis=0), stems, RATE)
    quiet[0, :, RATE : 2 * RATE] = 0
    shown = {}
    for name, estimates in (("all of it", leaky(None, stems, RATE)), ("falls silent", quiet)):
        record = scores.score_song(stems, estimates, RATE, "song")
        shown[name] = {"song": collect.Score(results.summarise(record))}
    said = "".join(Tree(page.make_report({"x": shown}).html).texts)
    assert "0 of 3 seconds are left out" in said
    assert "falls silent: 1 more, where its estimate is silent." in said
    assert "all of it: " not in said


def test_rounding_noise_is_no_figure():
    assert [page.decibel(x) for x in (None, -3.456, 150.0, 202.5)] == [
        "–",
        "−3.46",
        "150.00",
        "> 150",
    ]


def test_worst_median_and_best_are_that(report, found):
    articles = report.html.split("<article")[1:]
    kinds = [re.search(r'class="kicker">(.*?) of my model<', article)[1] for article in articles]
    assert kinds == ["Worst song", "Median song", "Best song"]
    songs = found["my corpus"]["my model"]
    order = sorted(songs, key=lambda name: songs[name].row["vocals_SDR"])
    titles = [re.search(r"<h3.*?>(.*?)</h3>", article)[1] for article in articles]
    assert [html.unescape(title) for title in titles] == order
    for article in articles:
        players = re.findall(r"<li><b>(.*?)</b><audio", article)
        assert players == ["Song", "True voice", "Estimated voice", "Karaoke"]
        assert 'class="note"' not in article


def test_the_songs_of_an_oracle_are_not_shown_unless_asked_for(found):
    songs = found["my corpus"]["my model"]
    scores_of = {"x": {"my model": songs, "ideal_ratio_mask": songs, "ideal_complex_mask": songs}}
    shown = page.make_report(scores_of).html
    assert "Worst song of my model<" in shown
    assert "of ideal complex mask<" not in shown
    assert "Worst song of ideal complex mask<" in (
        page.make_report(scores_of, "ideal_complex_mask").html
    )


@pytest.mark.parametrize("count", (0, 1, 2, 4))
def test_few_songs_are_not_shown_twice(found, count):
    score, *_ = found["my corpus"]["my model"].values()
    rows = [score.row | {"song": str(i), "vocals_SDR": float(i)} for i in range(count)]
    shown = sections._examples({r["song"]: collect.Score(r) for r in rows}, "", {})
    assert [song["name"] for song in shown] == {4: ["0", "1", "3"]}.get(
        count, [str(i) for i in range(count)]
    )


def test_what_is_not_at_hand_is_said(folder):
    score, *_ = collect.collect([folder / "kept"])["my corpus"]["my model"].values()
    report = page.make_report({"x": {"my model": {"song": score}}})
    assert report.html.count("the estimates were not kept or have moved") == 1
    assert len(Tree(report.html).all("audio")) == 2
    gone = dict.fromkeys(("vocals", "accompaniment"), ("gone.wav",))
    lost = collect.Score(score.row, score.frames, audio=gone)
    report = page.make_report({"x": {"my model": {"song": lost}}})
    assert "gone.wav" in report.html
    assert "No floor and ceiling stand beside it" in report.html
    assert not Tree(report.html).all("audio")


def test_estimates_of_any_format_are_at_hand(folder, tmp_path):
    audio.write(tmp_path / "b" / "vocals.aiff", stems_of(1)[0], RATE)
    songs = collect.collect([folder / "kept"], tmp_path)["my corpus"]["my model"]
    assert songs["b"].audio["vocals_estimate"] == (str(tmp_path / "b" / "vocals.aiff"),)


def test_a_folder_of_estimates_that_there_is_not(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        collect.collect([folder / "kept"], tmp_path / "nowhere")


def test_all_kinds_of_results_give_the_same_scores(folder, tmp_path, found):
    """A folder by system, one folder, a record, a table, an experiment."""
    rows = {n: score.row for n, score in found["my corpus"]["my model"].items()}
    one = collect.collect([folder / "kept" / "my model"])
    assert {n: score.row for n, score in one["my corpus"]["my model"].items()} == rows
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"songs": {"my corpus": {"my model": [*rows.values()]}}}))
    read = collect.collect([record])["my corpus"]["my model"]
    assert {n: score.row for n, score in read.items()} == rows
    assert next(iter(read.values())).frames is None
    table = tmp_path / "my model" / "all_metrics.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(next(iter(rows.values()))), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())
    assert {
        n: score.row for n, score in collect.collect([table])[collect.UNNAMED]["my model"].items()
    } == rows
    # Together they are one system of one corpus, with frames.
    both = collect.collect([table, record, folder / "kept"])
    assert list(both) == ["my corpus"]
    assert [score.frames is not None for score in both["my corpus"]["my model"].values()]
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "scores").symlink_to(folder / "kept")
    (folder / "kept" / "model").symlink_to(folder / "kept" / "my model")
    try:
        assert "exp" in collect.collect([tmp_path / "exp"])["my corpus"]
    finally:
        (folder / "kept" / "model").unlink()


def test_bad_results_end_in_words(folder, tmp_path, found, caplog, capsys):
    with pytest.raises(FileNotFoundError, match="does not exist: give what scoring has left"):
        collect.collect([tmp_path / "nothing"])
    with pytest.raises(FileNotFoundError, match=r"no scores in .*: expected test/<song>\.json"):
        collect.collect([tmp_path])
    (tmp_path / "half.json").write_text('{"songs": {"a": {"b": [{"song"')
    with pytest.raises(ValueError, match="is no record of scores"):
        collect.collect([tmp_path / "half.json"])
    (tmp_path / "all_metrics.csv").write_text("song,seconds\nx,y\n")
    with pytest.raises(ValueError, match=r"is no all_metrics\.csv"):
        collect.collect([tmp_path / "all_metrics.csv"])
    with pytest.raises(ValueError, match="no scores of a system 'x': there are mixture"):
        page.make_report(found, "x")
    # A run that was killed leaves the others' scores.
    (tmp_path / "mine" / "test").mkdir(parents=True)
    for path in (folder / "kept" / "my model" / "test").iterdir():
        text = path.read_text()
        cut = len(text) // 2 if path.stem == "b" else None
        (tmp_path / "mine" / "test" / path.name).write_text(text[:cut])
    read = collect.collect([tmp_path / "mine"])
    assert len(read["my corpus"]["mine"]) == 2
    assert "b.json holds no scores and is left out" in caplog.text
    other = json.loads(path.read_text())
    other["song"]["vocals"]["uSDR"] = 99.0
    (tmp_path / "more" / "mine" / "test").mkdir(parents=True)
    (tmp_path / "more" / "mine" / "test" / path.name).write_text(json.dumps(other))
    with pytest.raises(ValueError, match="two results called 'mine' have different scores"):
        collect.collect([tmp_path / "mine", tmp_path / "more"])
    assert cli.main(["report", str(tmp_path / "nothing")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_the_same_scores_make_the_same_chart(report, monkeypatch):
    """A report can be kept under version control."""
    chart, size = report.pictures["my-corpus-over-songs-vocals.png"]
    assert charts.png(chart, size) == charts.png(chart, size)
    monkeypatch.setattr(charts, "_numbers", iter((1, 1, 2)))
    first, second, third = (charts.svg(chart, size, "x") for _ in range(3))
    assert first == second != third


def test_the_command_writes_page_tables_and_pictures(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (folder / "kept").glob("*/test/*.json"):
        # As if the songs were gone, which saves drawing their spectrograms.
        record = json.loads(path.read_text())
        record["inputs"]["song"] = {"corpus": "my corpus"}
        copy = tmp_path / "kept" / path.relative_to(folder / "kept")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(json.dumps(record))
    options = ["--markdown", "tables.md", "--png", "pictures", "--system", "my model"]
    assert cli.main(["report", "kept", "-o", "x/report.html", *options]) == 0
    assert capsys.readouterr().out.startswith("x/report.html  ")
    assert "| ideal ratio mask " in (tmp_path / "tables.md").read_text()
    pictures = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert "my-corpus-over-songs-vocals.png" in pictures
    assert "my-corpus-worst-song-sdr-over-time.png" in pictures
    for path in (tmp_path / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("width", "scheme"), ((1200, "light"), (375, "dark")))
def test_a_browser_shows_it(report, browser, artefacts, tmp_path, width, scheme):
    """Read by a real browser, on a desk and on a phone; screenshots stay."""
    path = tmp_path / "report.html"
    path.write_text(report.html, "utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(path.as_uri())
    run = browser.execute_script
    assert run("return document.documentElement.scrollWidth") == width, "it scrolls sideways"
    assert "broken" not in browser.title
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    # The charts have the page's colours, and the pictures can be decoded.
    page_colour = run("return getComputedStyle(document.body).backgroundColor")
    assert page_colour == {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 16, 20)"}[scheme]
    text_colours = run(
        "return [...document.querySelectorAll('svg text')].map(t => getComputedStyle(t).fill)"
    )
    assert text_colours
    assert not {"rgb(1, 1, 1)", "rgb(2, 2, 2)", "rgb(0, 0, 0)"} & {*text_colours}
    assert run("return [...document.images].every(i => i.complete && i.naturalWidth > 300)")
    decoded = browser.execute_async_script(
        """const done = arguments[0], sound = document.querySelector('audio')
        sound.addEventListener('loadedmetadata', () => done(sound.duration))
        sound.addEventListener('error', () => done(-1)); sound.load()"""
    )
    assert decoded == pytest.approx(3, abs=0.2)
    height = run("return document.documentElement.scrollHeight")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"height": height})
    shot = artefacts / f"report-{scheme}-{width}.png"
    assert browser.save_screenshot(str(shot))
    assert shot.stat().st_size > 50_000
