"""Write the graphs of the bundled models into ``resources/graphs``, so that they run without TensorFlow.

    python installer/write_graphs.py

To be run after a bundled model's network or input changed; a test tells when.
"""

from __future__ import annotations

from pathview.models.catalogue import Catalogue
from pathview.models.graphs import convert, file_name, write
from pathview.models.keras_backend import load_network
from pathview.settings import Settings


def main() -> None:
    """Make all anew."""
    settings = Settings()
    folder = settings.graph_dirs[0]
    for old in folder.glob("*.zip"):
        old.unlink()
    for model in Catalogue(settings).models():
        if model.folder is not None and model.weights == "bundled":
            network = load_network(model.folder)
            name = file_name(model.recipe, "")
            write(folder / name, convert(network, name))
            if network.window_stride is not None:
                name = file_name(model.recipe, "convolutional")
                write(folder / name, convert(network.convolutional, name))


if __name__ == "__main__":
    main()
