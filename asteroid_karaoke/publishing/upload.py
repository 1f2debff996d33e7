"""A published model's way to others: the Hugging Face Hub, and Asteroid's community on Zenodo."""

import os
from pathlib import Path

import torch

#: Files of a folder, each with its name on the Hub, where Asteroid looks for pytorch_model.bin.
ON_HUB = {
    "model.pth": "pytorch_model.bin",
    "model.safetensors": "model.safetensors",
    "model.json": "model.json",
    "README.md": "README.md",
}


def to_hub(folder: str | os.PathLike, repo: str, private: bool = False) -> str:
    """Upload a folder that `prepare` has completed, as one commit; the repository is made.

    ``KaraokeNet.from_pretrained(repo)`` then loads the model. The token is that of ``hf auth
    login``, or ``HF_TOKEN``.

    Args:
        folder: With `ON_HUB`'s files.
        repo: ``user/name``.
        private: Whether only its owner shall see a repository that is made.

    Returns:
        The commit's address.

    Raises:
        FileNotFoundError: A file is missing.
        ConnectionError: The Hub can not be reached, or refuses.
        ValueError: `repo` is no name of a repository.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HFValidationError

    folder = Path(folder)
    missing = [name for name in ON_HUB if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} holds no {missing[0]}: prepare the folder first")
    operations = [
        CommitOperationAdd(path_in_repo=theirs, path_or_fileobj=str(folder / ours))
        for ours, theirs in ON_HUB.items()
    ]
    api = HfApi()
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        done = api.create_commit(
            repo, operations, commit_message="Model, weights as safetensors, and card"
        )
    except HFValidationError as error:
        raise ValueError(f"{repo!r} is no name of a repository, expected user/name") from error
    except Exception as error:  # The Hub's client raises what its HTTP library does.
        raise ConnectionError(
            f"the Hub did not take {repo}: {error}; is the network there, and `hf auth login` done?"
        ) from error
    return str(done.commit_url)


def to_zenodo(folder: str | os.PathLike, uploader: str, sandbox: bool = False) -> None:
    """Hand a folder to Asteroid's own publisher, which asks before it makes anything public.

    It takes its token from ``ACCESS_TOKEN``.

    Args:
        folder: With ``model.pth``.
        uploader: Full name of who uploads.
        sandbox: Whether to use Zenodo's sandbox.

    Raises:
        ValueError: The model's data do not allow the licence that Asteroid gives it, which is
            always CC BY-SA 3.0; or there is no token.
        ConnectionError: Zenodo can not be reached, or refuses.
    """
    from asteroid.models.publisher import upload_publishable

    path = Path(folder) / "model.pth"
    conf = torch.load(path, map_location="cpu", weights_only=True)
    forbidden = [work["title"] for work in conf.get("licenses", ()) if work["non_commercial"]]
    if forbidden:
        raise ValueError(
            f"Asteroid's publisher licenses every model under CC BY-SA 3.0, which {forbidden[0]} "
            f"({len(forbidden)} such works) does not allow: publish it on the Hub (--hub)"
        )
    wanted = {"licenses", "dataset", "task", "infos", "model_name"}
    lost = sorted(wanted - conf.keys())
    if lost:
        raise ValueError(f"{path} has no {lost[0]}: Asteroid publishes what a recipe has trained")
    try:
        upload_publishable(str(folder), uploader=uploader, use_sandbox=sandbox)
    except (OSError, RuntimeError) as error:
        raise ConnectionError(f"Zenodo did not take {folder}: {error}") from error
