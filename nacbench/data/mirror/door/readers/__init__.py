"""Readers of the forms in which copies of data sets come. A distribution names one, and gives it its parameters.

Each is a pydantic model whose ``kind`` is its name in a distribution's YAML file, and whose ``content`` yields what is
taken from a copy. To add one, write its module and put it into ``AnyReader``.
"""

from typing import Annotated

from pydantic import Field

from nacbench.data.mirror.door.readers.as_they_are import FilesAsTheyAre
from nacbench.data.mirror.door.readers.binary_batches import BinaryBatches
from nacbench.data.mirror.door.readers.clouds import Hdf5Clouds, TextClouds
from nacbench.data.mirror.door.readers.corrupted import CorruptedArrays, CorruptedFolders
from nacbench.data.mirror.door.readers.image_folders import ImageFolders
from nacbench.data.mirror.door.readers.image_tars import ImageTars
from nacbench.data.mirror.door.readers.labelled_lines import LabelledLines
from nacbench.data.mirror.door.readers.listed_images import ListedImages
from nacbench.data.mirror.door.readers.mesh_folders import MeshFolders
from nacbench.data.mirror.door.readers.named_images import NamedImages
from nacbench.data.mirror.door.readers.nlvr import NlvrLines
from nacbench.data.mirror.door.readers.nlvr2 import Nlvr2Pictures, Nlvr2Tables, Nlvr2Texts
from nacbench.data.mirror.door.readers.pickled_batches import PickledBatches
from nacbench.data.mirror.door.readers.tables import Tables
from nacbench.data.mirror.door.readers.text_folders import TextFolders
from nacbench.data.mirror.door.readers.text_tables import TextTables

AnyReader = Annotated[
    FilesAsTheyAre
    | BinaryBatches
    | CorruptedArrays
    | CorruptedFolders
    | Hdf5Clouds
    | ImageFolders
    | ImageTars
    | LabelledLines
    | ListedImages
    | MeshFolders
    | NamedImages
    | NlvrLines
    | Nlvr2Pictures
    | Nlvr2Tables
    | Nlvr2Texts
    | PickledBatches
    | Tables
    | TextClouds
    | TextFolders
    | TextTables,
    Field(discriminator="kind"),
]
