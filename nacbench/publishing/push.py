"""Push a folder to the Hugging Face hub with the user's own login. Nothing else here reaches the network."""

from __future__ import annotations

from pathlib import Path

from nacbench.errors import UserError, told
from nacbench.publishing.hub_folder import FILES

LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token that may write (huggingface.co/settings/tokens)"


def check_push(repository: str) -> None:
    """Check the repository's name and that there is a login, without the network, before anything is written.

    Raises:
        UserError: if the name cannot be one, or there is no login.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # it is not in __all__

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(f"--push {repository}: {error}") from None
    if "/" not in repository:  # the hub would make it, but not take the files
        raise UserError(f"--push {repository}: name its owner, too, as in --push OWNER/{repository}")
    if get_token() is None:
        raise UserError(f"--push {repository}: there is no login to the Hugging Face hub; {LOGIN}")


def push(folder: Path, repository: str) -> str:
    """Upload a folder for the hub; a repository that does not exist is made, and is private.

    Args:
        folder: as `nacbench.publishing.hub_folder.export_run` writes it.
        repository: ``owner/name``.

    Returns:
        The address of the commit.

    Raises:
        UserError: if the hub refuses it or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(repository, private=True, exist_ok=True)
        done = api.upload_folder(
            folder_path=folder,
            repo_id=repository,
            allow_patterns=list(FILES),
            commit_message=f"Upload {folder.name} by nacbench",
        )
    except Exception as error:  # its own, OSError, or of its HTTP library, which differs by version
        raise UserError(
            f"--push {repository}: {told(error)}; the folder {folder} is complete: try again, or {LOGIN}"
        ) from error
    return str(done)
