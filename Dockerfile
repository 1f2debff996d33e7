# A song in, karaoke out, on any machine with Docker; no GPU is used.
#
#   docker build -t asteroid-karaoke .
#   docker run --rm -v "$PWD:/music" --user "$(id -u):$(id -g)" asteroid-karaoke separate song.mp3
#   docker run --rm -p 127.0.0.1:8765:8765 asteroid-karaoke serve --host 0.0.0.0
#
# With --build-arg PIP_EXTRA_INDEX_URL=..., the address of PyTorch's CPU builds, the image is 4 GB
# smaller: else it holds the CUDA build that pip prefers, which works as well.
FROM python:3.12-slim AS build
ARG CPU_TORCH=torch==2.13.0+cpu
ARG PIP_EXTRA_INDEX_URL
# A compiler, as pesq, which Asteroid needs, has no wheels. Debian keeps only one version of it.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# hadolint ignore=DL3013
RUN pip install --no-cache-dir "$CPU_TORCH" || echo "no $CPU_TORCH: pip will take another torch"
COPY . /src
RUN pip install --no-cache-dir "/src[web,stretch,youtube]"

FROM python:3.12-slim
COPY --from=build /opt/venv /opt/venv
# Whoever runs it may have no home here: what is cached goes where anybody may write.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/tmp/cache \
    NUMBA_CACHE_DIR=/tmp/cache/numba
RUN useradd --uid 1000 --create-home karaoke
USER 1000
WORKDIR /music
ENTRYPOINT ["asteroid-karaoke"]
CMD ["--help"]
