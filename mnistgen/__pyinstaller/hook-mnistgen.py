"""PyInstaller's hook: bundle the models, and the modules that are imported on first use."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

# They need packages that few programs use; a program that imports one gets it nevertheless.
OPTIONAL = ("mnistgen.ray", "mnistgen.torch", "mnistgen.cli", "mnistgen.__main__", "mnistgen.__pyinstaller")

datas = collect_data_files("mnistgen")
hiddenimports = ["onnxruntime", *collect_submodules("mnistgen", filter=lambda name: not name.startswith(OPTIONAL))]
