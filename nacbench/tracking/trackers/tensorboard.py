"""TensorBoard: event files, which ``tensorboard --logdir runs`` shows."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacbench.tracking.tracker import About, Log, Place, Scalars, State, Tracker

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter


@dataclass(frozen=True, kw_only=True)
class TensorBoard(Tracker):
    """Event files with scalars, which are float32 there, and the settings for its tab of hyper-parameters."""

    title = "TensorBoard"
    library = "tensorboard"
    extra = "tensorboard"
    shares_folder = False

    def start(self, about: About, place: Place) -> Log:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        for old in place.folder.glob("events.out.tfevents.*"):
            old.unlink()
        writer = EventFileWriter(str(place.folder))
        # A TensorBoard that is open drops what it has read of the run's earlier attempt from step 0 on
        writer.add_event(Event(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START)))
        settings = hparams_pb(dict(about.settings), trial_id=about.name)
        writer.add_event(Event(wall_time=time.time(), step=0, summary=settings))
        writer.flush()
        return _Events(writer)


class _Events:
    def __init__(self, writer: "EventFileWriter") -> None:
        self._writer = writer

    def scalars(self, step: int, values: Scalars) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._add(step, Summary(value=[Summary.Value(tag=name, simple_value=v) for name, v in values.items()]))

    def finish(self, step: int, metrics: Scalars, state: State) -> None:
        self.scalars(step, metrics)
        self._add(step, _ending(state))
        self._writer.close()

    def _add(self, step: int, summary: "Summary") -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()  # so that an open TensorBoard sees it, and a full disk is noticed here


def _ending(state: State) -> "Summary":
    """Return how a run ended, for the tab of hyper-parameters; TensorBoard's own maker of it needs TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if state == "finished" else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, tensor=metadata.NULL_TENSOR, metadata=about)
    return Summary(value=[value])
