"""PyInstaller's hook: bundle the models, the modules that are imported on first use, and onnxruntime's libraries."""

from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs, collect_submodules

OPTIONAL = ("mnistgen.ray", "mnistgen.torch", "mnistgen.__pyinstaller")  # they need packages that few programs use

datas = collect_data_files("mnistgen")
binaries = collect_dynamic_libs("onnxruntime")
hiddenimports = ["onnxruntime", *collect_submodules("mnistgen", filter=lambda name: not name.startswith(OPTIONAL))]
