"""librosa comes without remarks on widgets."""

import subprocess
import sys


def test_librosa_is_imported_without_a_remark():
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from pasdedeux.base import quiet\n"
        "librosa = quiet.librosa()\n"
        "warnings.simplefilter('always')\n"
        "import tqdm.auto\n"
        "print(librosa.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("librosa\n", "")
