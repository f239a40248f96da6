# Everything runs in .venv, which `make setup` creates; nothing outside the clone is touched.
PYTHON ?= python3
# Which ONNX Runtime: the wheel for CUDA where there is an NVIDIA driver; the two exclude each other.
ONNX ?= $(if $(shell command -v nvidia-smi),onnx-gpu,onnx)
BIN := .venv/bin
RUN := $(BIN)/python -m

.DEFAULT_GOAL := help
.PHONY: help setup demo test check parity bench models docs proto clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/ready ## create .venv with the commands neural_style and nstyle

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,$(ONNX),video,report]'
	@touch $@

demo: setup ## stylise the bundled photo with the bundled painting, offline, in a minute or two
	@mkdir -p out
	$(BIN)/neural_style -config configs/demo.yml -plot_losses out/demo_losses.png
	@echo
	@echo 'The picture:  out/demo.png        (content: configs/images/content_coffee.jpg)'
	@echo 'The losses:   out/demo_losses.png'
	@echo 'Next: your own picture with the same small network:'
	@echo '  $(BIN)/neural_style -config configs/demo.yml -content_image YOUR.jpg -output_image out/yours.png'
	@echo 'or fetch the original VGG-19 (548 MiB) for the original pictures: make models'

test: check ## lint, types, import directions, and all tests
	$(RUN) pytest

check: setup ## lint, types and import directions only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

parity: setup ## compare every reference run of the real Torch7 programs, stage by stage
	$(BIN)/nstyle parity
	$(BIN)/nstyle parity --program fast_neural_style
	$(BIN)/nstyle parity --arithmetic native

bench: setup ## measure speed and memory; writes docs/benchmarks.md
	$(RUN) tests.benchmarks

models: setup ## fetch and verify the original VGG-19 (548 MiB)
	$(BIN)/nstyle models fetch vgg19

docs: setup ## regenerate docs/flags.md
	$(RUN) cli.flags_page

proto: ## regenerate caffe_loader/caffe_pb2.py with the oldest protobuf we allow
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/pip install --quiet grpcio-tools==1.74.0
	.venv-proto/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. caffe_loader/caffe.proto
	rm -rf .venv-proto

clean: ## remove the environment and all results
	rm -rf .venv out build *.egg-info
