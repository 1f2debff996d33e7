"""The rules of the house, as CONTRIBUTING.md words them."""

import ast
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asteroid_karaoke"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(PACKAGE.rglob("*.js"))
RECIPES, EGS, EVAL, TESTS = (
    sorted((ROOT / folder).rglob("*.py")) for folder in ("recipes", "egs", "eval", "tests")
)

#: Which of our modules each part of the package may import. A part that stands in no row is new:
#: give it one, here and in CONTRIBUTING.md.
MAY_IMPORT = {
    "_compat": set(),
    "cluster": set(),
    "pipeline": set(),
    "containers": set(),
    "xing": set(),
    "sndfile": {"xing"},
    "parts": set(),
    "names": set(),
    "resampling": set(),
    "writer": {"parts", "sndfile"},
    "loading": {"model"},
    "processor": set(),
    "weights": {"parts"},
    "export": {"model", "parts", "weights"},
    "backends": {"export", "loading", "model", "parts", "processor"},
    "encoder": {"parts"},
    "formats": {"audio", "writer"},
    "tags": set(),
    "options": {"clipping", "formats", "knobs", "names"},
    "outputs": {"audio", "encoder", "formats", "names", "options", "tags"},
    "files": {
        *("audio", "clipping", "formats", "knobs", "options", "outputs", "overlap_add", "parts"),
        *("pipeline", "preview", "separation", "tags"),
    },
    "inputs": {"audio"},
    "fetching": {"audio", "inputs", "parts", "terminal"},
    "ledger": {"options"},
    "batch": {
        *("cluster", "fetching", "files", "inputs", "ledger", "options", "overlap_add", "parts"),
        *("separation", "terminal"),
    },
    "overlap_add": set(),
    "audio": {"containers", "resampling", "sndfile", "writer"},
    "manifest": {"audio", "parts"},
    "codec": {"resampling", "writer"},
    "mixing": set(),
    "effects": {"mixing"},
    "augment": {"codec", "effects", "mixing"},
    "stft": set(),
    "maskers": set(),
    "losses": {"stft"},
    "baselines": set(),
    "plots": {"parts"},
    "terminal": set(),
    "bsseval": set(),
    "results": {"parts"},
    "bsseval_fast": {"bsseval"},
    "measures": set(),
    "scores": {"audio", "bsseval", "bsseval_fast", "cluster", "inputs", "measures", "results"},
    "evaluation": {"datasets", "results", "scores"},
    "report": {"audio", "inputs", "measures", "parts", "plots", "results"},
    "listening": {"audio", "inputs", "measures", "parts", "results"},
    "publishing": {"model", "parts", "report", "results", "weights"},
    "pool": {"audio", "effects", "manifest"},
    "items": set(),
    "mixtures": {"augment", "effects", "items", "manifest", "mixing", "pool"},
    "sampler": set(),
    "union": {"items"},
    "datasets": {"audio", "items", "manifest", "mixing", "mixtures", "pool", "sampler", "union"},
    "model": {"stft", "maskers", "weights"},
    "stretch": set(),
    "clipping": set(),
    "subtraction": {"overlap_add", "stft"},
    "arguments": set(),
    "knobs": {"arguments", "stretch", "subtraction"},
    "preview": {"audio", "overlap_add"},
    "sliding": {"audio", "overlap_add"},
    "devices": set(),
    "live": {"arguments", "devices", "knobs", "loading", "overlap_add", "sliding", "terminal"},
    "separation": {"audio", "overlap_add"},
    "infer": {"audio", "model", "terminal"},
    "batches": {"items", "sampler"},
    "muon": set(),
    "norms": set(),
    "schedules": set(),
    "system": {"batches", "scores", "separation"},
    "experiment": {"items", "model", "parts"},
    "callbacks": {"experiment", "plots"},
    "checkpoints": {"parts"},
    "training": {
        "batches",
        "callbacks",
        "checkpoints",
        "experiment",
        "items",
        "losses",
        "model",
        "muon",
        "norms",
        "parts",
        "processor",
        "schedules",
        "system",
    },
    "web": {
        *("audio", "clipping", "fetching", "files", "formats", "inputs", "knobs", "options"),
        *("outputs", "overlap_add", "parts", "plots", "resampling", "stretch", "tags"),
    },
}
#: These may import all others, and none of the others imports them.
TOP = {"__init__", "api", "cli", "commands"}
#: What a recipe may import of the package: a corpus knows files and manifests, not models, how many
#: songs are worked on at a time, how a file appears whole, and how yt-dlp is talked to.
RECIPES_MAY_IMPORT = {"audio", "cluster", "fetching", "manifest", "parts"}

#: Files over 300 lines, each with the reason why it holds one idea all the same.
LONG_FILES: dict[str, str] = {}

#: Import names that differ from the name in setup.py.
DISTRIBUTIONS = {
    "distributed": "dask",
    "python_stretch": "python-stretch",
    "pytorch_lightning": "pytorch-lightning",
    "yaml": "pyyaml",
    "yt_dlp": "yt-dlp",
}


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, anywhere in it, with relative ones made absolute."""
    folder = path.parent.relative_to(ROOT).parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            found |= {f"{module}.{name.name}" for name in node.names}
    return found


def part(path: Path) -> str:
    """The part of the package that a file belongs to: a module, or a folder of modules."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parts_imported(path: Path) -> set[str]:
    """The parts of the package that a file imports; ``__init__`` for the package's own names."""
    parts = {part(module) for module in MODULES}
    names = [name.split(".") for name in imports(path)]
    ours = {tuple(name[1:2]) for name in names if name[0] == "asteroid_karaoke"}
    return {name[0] if name and name[0] in parts else "__init__" for name in ours}


def calls(path: Path, name: str):
    """All calls of a function, given as it is written in the source."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_inside_the_package_flow_one_way():
    against = []
    for path in MODULES:
        if part(path) not in TOP:
            assert part(path) in MAY_IMPORT, f"{relative(path)} is new: add it to the table"
            allowed = MAY_IMPORT[part(path)] | {part(path)}
            against += [f"{relative(path)} imports {x}" for x in parts_imported(path) - allowed]
    assert not against


def test_the_table_of_imports_has_no_way_round():
    for start in MAY_IMPORT:
        reached, ahead = set(), set(MAY_IMPORT[start])
        while ahead:
            reached |= ahead
            ahead = {further for name in ahead for further in MAY_IMPORT[name]} - reached
        assert start not in reached


def test_the_package_knows_no_corpus_and_no_experiment():
    outside = {"recipes", "egs", "eval", "tests"}
    against = {
        relative(path): found
        for path in MODULES
        if (found := {name.split(".")[0] for name in imports(path)} & outside)
    }
    assert not against


def test_recipes_know_files_and_manifests_only():
    for path in RECIPES:
        assert parts_imported(path) <= RECIPES_MAY_IMPORT, relative(path)
        assert not {name.split(".")[0] for name in imports(path)} & {"egs", "eval"}, relative(path)


def test_every_library_the_package_imports_is_declared():
    libraries = {name.split(".")[0] for path in MODULES for name in imports(path)}
    libraries -= {*sys.stdlib_module_names, "asteroid_karaoke"}
    lists = [_assigned("INSTALL_REQUIRES"), *_assigned("EXTRAS_REQUIRE").values()]
    declared = {re.split(r"[\[<>=]", line)[0] for lines in lists for line in lines}
    assert {DISTRIBUTIONS.get(name, name) for name in libraries} <= declared


def _assigned(name: str):
    """The value of a literal assigned in setup.py, which can not be imported."""
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def test_importing_the_package_loads_nothing_that_asteroid_does_not():
    """No matplotlib, museval, PyAV or Lightning for somebody who only wants the model."""
    script = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("compat", {str(PACKAGE / "_compat.py")!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
compat.ensure_torchaudio()
import asteroid
before = set(sys.modules)
import asteroid_karaoke
added = {{name.split(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names
print(*sorted(added))
"""
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert printed.split() == ["asteroid_karaoke"]


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS, *RECIPES, *EGS, *EVAL], ids=relative)
def test_a_file_holds_one_idea(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 300 or relative(path) in LONG_FILES, f"{lines} lines: split it, or say why not"


def test_no_shell_is_ever_used():
    """Tags, names, playlists and addresses are hostile input."""
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                given = {word.arg for word in node.keywords}
                assert ast.unparse(node.func) not in shells, f"{relative(path)}: {node.lineno}"
                assert "shell" not in given, f"{relative(path)}: {node.lineno}"


def test_only_the_command_line_prints():
    assert not [
        relative(path) for path in MODULES if part(path) != "cli" and any(calls(path, "print"))
    ]


def test_every_file_of_weights_is_loaded_without_running_code():
    for path in [*MODULES, *RECIPES, *EGS, *EVAL, *TESTS]:
        for call in calls(path, "torch.load"):
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get("weights_only") == "True", f"{relative(path)}, line {call.lineno}"


def test_scripts_of_the_recipes_can_be_run():
    scripts = [*ROOT.glob("egs/*/*/run.sh"), ROOT / ".ci" / "run"]
    assert len(scripts) > 1, "no recipe has a run.sh"
    for script in scripts:
        assert os.access(script, os.X_OK), f"chmod +x {relative(script)}"
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n"), script


def test_nothing_in_egs_is_a_copy():
    """One function in the package, or one link: copies drift apart."""
    seen: dict[str, Path] = {}
    for path in _tracked():
        if path.is_relative_to(ROOT / "egs") and not path.is_symlink() and path.stat().st_size:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert digest not in seen, f"{relative(path)} is a copy of {relative(seen[digest])}"
            seen[digest] = path


@pytest.mark.parametrize("path", sorted(ROOT.glob("egs/*/*/local/conf.yml")), ids=relative)
def test_a_conf_becomes_options(path):
    """Asteroid's parser takes two levels of scalars with keys unique over the file, no lists."""
    conf = yaml.safe_load(path.read_text(encoding="utf-8"))
    keys = [key for group in conf.values() for key in group]
    assert len(keys) == len(set(keys)), "a key stands twice"
    for group in conf.values():
        for key, value in group.items():
            assert value is None or isinstance(value, (str, int, float)), f"{key} is no scalar"


def test_the_changelog_knows_the_version():
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_no_file_names_the_host_of_a_package_registry():
    """Where packages come from is the machine's affair: mirrors and closed networks are common."""
    hosts = re.compile(
        r"\b(pypi|files\.pythonhosted|registry\.npmjs|download\.pytorch|deb\.debian)\.(org|com)\b"
    )
    for path in _tracked():
        if path.stat().st_size < 1_000_000:
            found = hosts.search(path.read_text(encoding="utf-8", errors="replace"))
            assert not found, f"{relative(path)} names {found[0]}"


def _tracked() -> list[Path]:
    """The files that are, or are about to be, in the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: nothing tells the project's files from others")
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]
