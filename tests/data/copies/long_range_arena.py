"""Long Range Arena's release as it is given away: its data sets in one archive, images in several sizes."""

from pathlib import Path

from tests import miniatures
from tests.data.copies import listops


def release(place: Path) -> dict[str, bytes]:
    """Its files by path, made in an empty folder. Archives of it also have folders of other tasks, and lists of ids."""
    for folder in ("pathfinder64/curv_contour_length_14", "pathfinder32/curv_baseline"):
        miniatures.make_pathfinder(place, 30, folder)
    miniatures.make_pathfinder(place)
    miniatures.make_document_pairs(place)
    (place / "aan-pairs").rename(place / "tsv_data")
    (place / "tsv_data/new_aan_pairs.train.only_ids.tsv").write_text("1.0\tP03-1003\tN01-1006\n")
    made = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    expressions = {name: content for name, content in listops.files().items() if name.startswith(listops.TOP)}
    return expressions | {f"lra_release/{name}": content for name, content in made.items()}
