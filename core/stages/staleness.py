"""Decides whether a stage must run again: compares its result's record with current settings and inputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.errors import NeuralStyleError
from core.models.checksums import file_digests
from core.records.identity import differences
from core.records.records import Record, beside, read_record
from core.stages.config import Stage
from core.stages.files import makes_many_files, numbered_outputs


def why_stale(stage: Stage) -> list[str]:
    """The reasons why a stage is not up to date, one sentence each; none if it is."""
    if stage.program == "train_fast_neural_style":
        from core.training.checkpoints import why_stale as why_stale_training

        return why_stale_training(stage.settings, stage.given)
    if makes_many_files(stage.settings):
        return ["a folder or a video has no record (-skip_existing 1 skips finished pictures)"]
    return next(filter(None, _reasons(stage, Path(stage.settings.output_image))), [])


def _reasons(stage: Stage, result: Path) -> Iterator[list[str]]:
    """Lists of reasons, the cheapest checks first."""
    if not result.exists():
        yield [f"there is no {result}"]
        return
    if not beside(result).exists():
        yield [f"{result} has no record beside it"]
        return
    try:
        record = read_record(result)
        yield _incomplete(stage, record)
        between = numbered_outputs(stage.settings, record.get("evaluation", 0))
        yield [f"there is no {path}" for path in between if not Path(path).exists()]
        if file_digests(result).sha256 != record["sha256"]:
            yield [f"{result} is no longer the file that was made"]
        yield differences(record, _identity(stage, record), type(stage.settings))
    except (NeuralStyleError, OSError) as error:
        yield [str(error)]
    except (KeyError, TypeError, AttributeError):
        yield [f"the record of {result} is damaged"]


def _incomplete(stage: Stage, record: Record) -> list[str]:
    if record["program"] != stage.program:
        return [f"made by {record['program']}"]
    wanted = getattr(stage.settings, "num_iterations", None)
    if record.get("complete"):  # L-BFGS may end before its last iteration
        return []
    if wanted is not None and record["evaluation"] != wanted:
        return [f"stopped at evaluation {record['evaluation']} of {wanted:g}"]
    return []


def _identity(stage: Stage, record: Record) -> Record:
    """The identity that a run would have now, to compare with the record."""
    if stage.program == "fast_neural_style":
        from core.transform.record import run_identity as fast_identity

        # The runtime is known only after the network is opened, so the recorded one is used.
        return {**fast_identity(stage.settings), "runtime": record.get("runtime")}
    if stage.program == "slow_neural_style":
        from core.devices import choose_native
        from core.training.slow_record import run_identity as slow_identity

        return slow_identity(stage.settings, choose_native(stage.settings.gpu, stage.settings.threads))
    from core.devices import choose
    from core.records.provenance import run_identity

    return run_identity(stage.settings, choose(stage.settings))
