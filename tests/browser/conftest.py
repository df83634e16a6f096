"""The servers of the integration tests, for the page's test."""
import importlib.util
import pathlib
import sys

_FOLDER = pathlib.Path(__file__).resolve().parent.parent / "integration"
sys.path.insert(0, str(_FOLDER))
_spec = importlib.util.spec_from_file_location("integration_conftest", _FOLDER / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
globals().update({name: value for name, value in vars(_module).items() if not name.startswith("_")})
