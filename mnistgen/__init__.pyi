"""What type checkers and editors see; `__init__.py` imports the same names on first use."""

from mnistgen import ray as ray
from mnistgen import torch as torch
from mnistgen._api import generate as generate
from mnistgen._api import generate_labelled as generate_labelled
from mnistgen._api import imitate as imitate
from mnistgen._api import latents as latents
from mnistgen._api import number as number
from mnistgen._attributes import Attributes as Attributes
from mnistgen._attributes import measure as measure
from mnistgen._encoder import Encoded as Encoded
from mnistgen._errors import DependencyError as DependencyError
from mnistgen._errors import DeviceError as DeviceError
from mnistgen._errors import InputError as InputError
from mnistgen._errors import MnistgenError as MnistgenError
from mnistgen._errors import ModelError as ModelError
from mnistgen._errors import OutputError as OutputError
from mnistgen._generator import Generator as Generator
from mnistgen._loaded import Labelled as Labelled
from mnistgen._model import DEFAULT_MODEL as DEFAULT_MODEL
from mnistgen._model import ModelCard as ModelCard
from mnistgen._model import card as card
from mnistgen._model import models as models
from mnistgen._pictures import grid as grid
from mnistgen._pictures import save as save
from mnistgen._pictures import show as show
from mnistgen.dataset.write import Summary as Summary
from mnistgen.dataset.write import write_dataset as write_dataset
from mnistgen.photos import Reading as Reading
from mnistgen.photos import read_digits as read_digits

__version__: str
__all__: list[str]
