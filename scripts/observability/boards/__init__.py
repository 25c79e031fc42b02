"""The dashboards, in the order in which a person asks."""

from scripts.observability.boards.kafka import KAFKA
from scripts.observability.boards.lanes import LANES_BOARD
from scripts.observability.boards.letters import LETTERS
from scripts.observability.boards.overview import OVERVIEW
from scripts.observability.boards.runtime import RUNTIME

BOARDS = (OVERVIEW, LANES_BOARD, KAFKA, LETTERS, RUNTIME)
