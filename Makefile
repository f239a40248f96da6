# Everything runs in .venv, which `make setup` creates. Nothing outside the clone is changed.
PYTHON ?= python3
# ONNX Runtime: the CUDA build if there is an NVIDIA driver. Only one of the two builds can be installed.
ONNXRUNTIME ?= $(if $(shell command -v nvidia-smi),onnxruntime-gpu,onnxruntime)
EXTRAS := dev video report port ray train vgg opencl
# Not in requirements.lock: these packages, and those that only some of their builds need, depend on the machine.
PER_MACHINE := torch onnxruntime triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti \
  cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
BIN := .venv/bin
RUN := $(BIN)/python -m
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

# The gallery's input pictures (make gallery INPUTS=dir), the weights, and pictures to compare with in the
# report (make report REFERENCE=dir).
INPUTS ?= inputs
MODELS := vgg_models
REFERENCE ?=
VGG := $(MODELS)/VGG_ILSVRC_19_layers.caffemodel
EIGHT_BIT := $(MODELS)/vgg19_8bit.caffemodel
SMALL := $(MODELS)/vgg19_small.caffemodel

.DEFAULT_GOAL := help
.PHONY: help setup lock demo demo-fast train-demo test check parity bench models inputs gallery gallery-quick figures report docs proto clean
.DELETE_ON_ERROR:

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: .venv/ready ## create .venv with all commands

# Exact versions: requirements.lock has checksums and is for every platform and Python. requirements-builds.lock has
# no checksums, since the builds of PyTorch and ONNX Runtime differ by machine (CPU, CUDA).
.venv/ready: pyproject.toml requirements.lock requirements-builds.lock $(wildcard core/arithmetic/kernel/source/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(INSTALL) --no-deps --require-hashes --requirement requirements.lock
	$(INSTALL) --constraint requirements-builds.lock torch $(ONNXRUNTIME)
	$(INSTALL) --no-deps --editable .
	@touch $@

lock: ## update all packages to the newest versions within the ranges of pyproject.toml (needs a network)
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet uv==0.13.9
	build/uv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-annotate --no-header $(EXTRAS:%=--extra %) --extra onnx \
	  --constraint requirements-builds.lock $(PER_MACHINE:%=--no-emit-package %) --output-file requirements.lock

# The best VGG-19 that is here, asked when it is needed: the 8-bit copy may just have been made.
VGG_HERE = $(firstword $(shell for file in $(VGG) $(EIGHT_BIT) $(SMALL); do [ ! -f $$file ] || echo $$file; done))
WITH_SMALL = $(filter $(SMALL),$(VGG_HERE))

$(EIGHT_BIT): | .venv/ready
	@$(BIN)/nstyle models add vgg19_8bit || echo 'So the small network is used: $(SMALL)'

demo: setup | $(EIGHT_BIT) ## stylise the bundled photo with the bundled painting, offline, in a minute or two
	@mkdir -p out
	$(BIN)/neural_style -config configs/demo$(if $(WITH_SMALL),_small).yml $(if $(WITH_SMALL),,-model_file $(VGG_HERE)) \
	  -plot_losses out/demo_losses.png
	@echo
	@echo 'The picture:  out/demo.png'
	@echo 'The losses:   out/demo_losses.png'
	@echo 'Next, a photo and a painting of yours, in small previews first:'
	@echo '  $(BIN)/nstyle start PHOTO.jpg PAINTING.jpg -o out/start'
	@echo 'For the very pictures of the original program get the original VGG-19: make models'

demo-fast: setup ## stylise a bundled photo in one forward pass, with the bundled network, offline
	@mkdir -p out
	$(BIN)/fast_neural_style -input_image configs/images/content_cat.jpg -output_image out/demo_fast.png
	@echo 'The picture: out/demo_fast.png'

train-demo: setup ## train a network on the bundled photos and check that the loss falls; some minutes
	$(RUN) tests.train_demo

test: check ## run lint, type and import checks and all tests
	$(RUN) pytest

check: setup ## run only the lint, type and import checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

parity: setup ## compare with every reference run of the original Torch7 programs, stage by stage
	$(BIN)/nstyle parity
	$(BIN)/nstyle parity --program fast_neural_style
	$(BIN)/nstyle parity --arithmetic native

bench: setup ## measure speed and memory, and write docs/benchmarks.md
	$(RUN) tests.benchmarks

models: setup ## get the original VGG-19 from whichever host has it (80 MB of convolutions, all that pictures need)
	$(BIN)/nstyle models fetch vgg19

# The dependencies of each gallery picture, read from its config.
ifneq (,$(filter gallery% results/%,$(MAKECMDGOALS)))
# A file that is rewritten when INPUTS names another folder than last time; file dates would not show that.
$(shell mkdir -p build; echo '$(INPUTS)' | cmp -s - build/INPUTS || echo '$(INPUTS)' > build/INPUTS)
# A name with blanks would be several files to make: it is reached through a link.
PICTURES := $(if $(filter 1,$(words $(INPUTS))),$(INPUTS),build/pictures)
$(if $(filter 1,$(words $(INPUTS))),,$(shell ln -sfn "$$(realpath '$(INPUTS)')" build/pictures))
-include build/gallery.mk
endif

build/gallery.mk: $(wildcard configs/gallery/*) | .venv/ready
	@mkdir -p $(@D)
	@$(RUN) cli.make.gallery_rules configs/gallery > $@.part && mv $@.part $@

inputs: setup ## fetch the input pictures of the gallery
	$(BIN)/nstyle inputs fetch

gallery: $(GALLERY:%=results/%.png) ## make all 36 pictures of the original's README; hours (one: make results/NAME.png)

# nstyle run skips a config of which only the date is new; the touch updates the result's date.
results/%.png: configs/gallery/%.yml build/INPUTS | .venv/ready
	$(BIN)/nstyle run $< --why --inputs $(PICTURES) --results results
	@touch $@

# Runs start from the photo, so that few iterations are enough. Pictures whose inputs are missing, or that need another
# network, are left out.
QUICK_LIMITS = $(if $(WITH_SMALL),image_size=160 num_iterations=60,image_size=192 num_iterations=80)
all_there = $(and $(filter $(words $(1)),$(words $(wildcard $(1)))),$(1))
QUICK = $(foreach name,$(GALLERY),$(if $(filter $(VGG),$(MODELS_OF_$(name))),$(if $(call all_there,$(INPUTS_OF_$(name))),$(name))))

gallery-quick: $(QUICK:%=results/quick/%.png) ## make a small version of the gallery, in minutes
	@echo '$(words $(QUICK)) pictures in results/quick, made with $(VGG_HERE)'
	$(if $(filter-out $(QUICK),$(GALLERY)),@echo 'left out because inputs are missing in $(INPUTS)/ (make inputs) or another network is needed: $(filter-out $(QUICK),$(GALLERY))')

results/quick/%.png: configs/gallery/%.yml build/INPUTS | .venv/ready $(EIGHT_BIT)
	$(BIN)/nstyle run $< --inputs $(PICTURES) --results results/quick \
	  $(QUICK_LIMITS:%=--at-most %) --set init=image $(if $(WITH_SMALL),,--set arithmetic=native) --set model_file=$(VGG_HERE)
	@touch $@

figures: $(patsubst configs/%.yml,results/%.png,$(wildcard configs/figures/*.yml)) ## make figures of Gatys et al. from the bundled pictures; some minutes

results/figures/%.png: configs/figures/%.yml $(wildcard $(VGG) $(EIGHT_BIT)) | .venv/ready $(EIGHT_BIT)
	$(BIN)/nstyle run $< --why --results $(@:.png=) --set model_file=$(VGG_HERE)
	$(BIN)/nstyle figure $< --results $(@:.png=) --output $@

report: report/index.html ## write a page about all results: report/index.html

report/index.html: $(shell find results -name '*.json' 2>/dev/null) | .venv/ready
	@mkdir -p results
	$(BIN)/nstyle report results --output report $(if $(shell ls -d '$(INPUTS)' 2>/dev/null),--inputs '$(INPUTS)') $(if $(REFERENCE),--reference '$(REFERENCE)')

docs: setup ## write docs/flags.md and docs/config.schema.json again
	$(RUN) cli.make.flags_page

proto: ## write caffe_loader/caffe_pb2.py again, with the oldest protobuf that is supported
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/pip install --quiet grpcio-tools==1.74.0
	.venv-proto/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. caffe_loader/caffe.proto
	rm -rf .venv-proto

clean: ## remove the environment, out/ and build/; inputs/ and results/ stay
	rm -rf .venv out build *.egg-info
