"""Run ``train_fast_neural_style``: log on stdout, checkpoints on disk, progress and notices on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tqdm import tqdm

from cli.runs.files import check_target
from cli.runs.training_log import Curves, LossFile, TensorBoard, waiting_share
from cli.runs.training_stop import stop_on_signals
from cli.runs.training_text import log_lines
from cli.terminal.above_bar import notice_above_bar, print_above_bar
from cli.terminal.output import notice, shows_progress, warnings_as_notices
from core.errors import CheckpointError, ImageError, NeuralStyleError, SettingsError
from core.pictures.images import check_readable, save_image
from core.settings.training import TrainSettings
from core.training import events
from core.training.checkpoints import (
    TrainingState,
    files_of,
    history_file,
    load_state,
    network_file,
    onnx_file,
    run_identity,
    save_state,
    state_file,
)
from core.training.distributed import joined
from core.training.history import save_history
from core.training.training import train
from core.transform.networks.checkpoint import save_checkpoint

PROGRAM = "train_fast_neural_style"
TERMINATED = 143  # the exit status if another of several processes got the signal
tell = partial(notice, program=PROGRAM)
_notice_above_bar = partial(notice_above_bar, program=PROGRAM)


def run(settings: TrainSettings, resume: bool, strict: bool = True) -> int:
    """Train, print and save as the original does; returns the exit status.

    resume: continue from a saved state, if there is one. A state of another training is an error if
    ``strict``; otherwise the training starts anew.

    Raises: NeuralStyleError, CaffemodelError.
    """
    check_outputs(settings)
    with ExitStack() as stack:
        group, device, notices = stack.enter_context(joined(int(settings.gpu)))
        first = group.rank == 0
        say = _notice_above_bar if first else _silent
        resumed = _resumed(settings, resume, strict, say)
        for sentence in (*settings.notices(begun=resumed is not None), *notices):
            say(sentence)
        stack.enter_context(warnings_as_notices(say))
        stop = stack.enter_context(stop_on_signals(say))
        from core.training.data.open_batches import open_batches

        batches = stack.enter_context(closing(open_batches(settings)))
        training = train(
            settings,
            batches,
            device=device,
            group=group,
            resumed=resumed,
            should_stop=stop.asked,
        )
        stopped = follow(settings, training, resumed) if first else any(map(_is_stop, training))
    status = stop.status or (TERMINATED if stopped else 0)
    if first and not status:
        _export(settings)
    return status


def check_outputs(settings: TrainSettings) -> None:
    """Check before any work that all outputs can be written. The folder of -checkpoint_name is created.

    Raises: SettingsError, ImageError.
    """
    folder = Path(settings.checkpoint_name).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"-checkpoint_name: {folder}: cannot be created: {error.strerror}") from None
    for path in files_of(settings):
        check_target("checkpoint_name", str(path))
    if settings.log_file:
        check_target("log_file", settings.log_file)
    if settings.sample_image:
        check_readable(settings.sample_image)
    if (
        settings.tensorboard
        and Path(settings.tensorboard).exists()
        and not Path(settings.tensorboard).is_dir()
    ):
        raise SettingsError(f"-tensorboard {settings.tensorboard}: is a file; name a folder")


def _resumed(
    settings: TrainSettings, resume: bool, strict: bool, say: Callable[[str], None]
) -> TrainingState | None:
    path = state_file(settings.checkpoint_name)
    if not path.exists():
        if resume and strict:
            say(f"-resume: there is no {path}; the training starts from the beginning")
        return None
    if not resume:
        say(f"{path} is the state of an earlier training and will be replaced; -resume would continue it")
        return None
    try:
        state = load_state(path, settings)
    except CheckpointError as error:
        if strict:
            raise
        say(f"saved state not used: {error}")
        return None
    done, wanted = state.history.iterations, int(settings.num_iterations)
    if done < wanted:
        say(f"continuing after iteration {done}, from {path}")
    else:
        say(f"nothing to train: {done} iterations are done, and -num_iterations is {wanted}")
    return state


def follow(
    settings: TrainSettings, training: Iterable[events.Event], resumed: TrainingState | None = None
) -> bool:
    """Consume all events of a training. Each is printed before it is saved, as in the original.

    Returns whether the training was stopped before its end.
    """
    session, stopped = Session(settings, resumed), False
    try:
        for event in training:
            session.take(event)
            stopped = _is_stop(event)
    finally:
        session.close()
    return stopped


def _is_stop(event: events.Event) -> bool:
    return isinstance(event, events.Stopped)


class Session:
    """Prints and saves the events of a training."""

    def __init__(self, settings: TrainSettings, resumed: TrainingState | None = None) -> None:
        self._settings, self._resumed = settings, resumed
        self._identity = run_identity(settings)
        self._curves: list[Curves] = []
        self._started = time.perf_counter()
        self._last: events.Step | None = None
        self._done = resumed.history.iterations if resumed else 0
        self._bar = tqdm(
            total=int(settings.num_iterations),
            initial=self._done,
            unit="it",
            disable=not shows_progress(),
            leave=False,
        )

    def take(self, event: events.Event) -> None:
        """Print and save one event."""
        print_above_bar(log_lines(event, self._settings, self._resumed is not None))
        if isinstance(event, events.NetworkReady):
            self._begin(event)
        elif isinstance(event, events.Step):
            self._step(event)
        elif isinstance(event, events.Validated):
            for curves in self._curves:
                curves.validated(event)
        elif isinstance(event, events.SampleMade):
            self._save_sample(event)
        elif isinstance(event, events.CheckpointDue):
            self._save(event.state)

    def close(self) -> None:
        """Close the progress bar and the loss files."""
        self._bar.close()
        for curves in self._curves:
            curves.close()

    def _begin(self, ready: events.NetworkReady) -> None:
        self._started = time.perf_counter()
        if self._settings.log_file:
            self._curves.append(LossFile(self._settings.log_file, ready.names, ready.done))
        if self._settings.tensorboard:
            self._curves.append(TensorBoard(self._settings.tensorboard, ready.done))

    def _step(self, step: events.Step) -> None:
        for curves in self._curves:
            curves.step(step)
        self._last = step
        self._bar.update(1)

    def _save_sample(self, sample: events.SampleMade) -> None:
        """Save a sample picture. If that fails, the training goes on with a notice."""
        try:
            save_image(f"{self._settings.checkpoint_name}_sample_{sample.iteration}.png", sample.picture)
        except ImageError as error:
            _notice_above_bar(f"{error}; the training goes on")

    def _save(self, state: TrainingState) -> None:
        """Write the network, the losses and the state. Each file is replaced only when it is complete."""
        name, start = self._settings.checkpoint_name, state.start
        save_checkpoint(network_file(name), start.architecture, start.network, self._settings.preprocessing)
        save_history(history_file(name), self._settings, state.history)
        save_state(state_file(name), self._identity, state)
        seconds = time.perf_counter() - self._started
        if self._last:
            rate = (self._last.iteration - self._done) / seconds
            share = 100 * waiting_share(self._last, seconds)
            _notice_above_bar(
                f"{network_file(name)} written after iteration {self._last.iteration}; {rate:.3g} iterations "
                f"a second, {share:.1f} % of the time waiting for pictures"
            )


def _export(settings: TrainSettings) -> None:
    """Write the network as ONNX and compare its output with PyTorch's. Raises: TransformError."""
    if not settings.export_onnx:
        return
    from core.transform.convert import convert
    from core.transform.onnx.session import import_runtime

    source = network_file(settings.checkpoint_name)
    try:
        import_runtime()
    except NeuralStyleError as error:
        tell(f"no ONNX file is written: {error}")
        return
    made = convert(source, onnx_file(settings.checkpoint_name))
    tell(f"{made.target} written; differs by {made.difference:.1e} of the output's range from {source}")


def _silent(sentence: str) -> None:
    """Print nothing: of several processes only the first prints notices."""
