# What type checkers and editors see; the functions are imported when they are first asked for.
from runner.api import answers as answers
from runner.api import plan as plan
from runner.api import report as report
from runner.api import run as run

__version__: str
