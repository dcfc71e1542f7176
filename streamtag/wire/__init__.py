"""The wire: messages out, PCM and requests in over ZeroMQ."""

from streamtag.wire.control import ServiceControl
from streamtag.wire.messages import (
    KINDS,
    ON_REQUEST,
    AudioHeader,
    EmbeddingHeader,
    EventHeader,
    LevelsHeader,
    Message,
    Outgoing,
    ScoresHeader,
    ServiceHeader,
    StatusHeader,
    TopLabel,
    as_json,
    audio_payload,
    levels_payload,
    scores_payload,
)
from streamtag.wire.pcm_messages import PauseRequest, PcmBlock, PcmEnd, PcmFault, PcmInput
from streamtag.wire.publisher import Publisher, PublisherStatistics
from streamtag.wire.puller import PcmPuller
from streamtag.wire.pusher import PcmPusher
from streamtag.wire.subscriber import Subscriber

__all__ = [
    "KINDS",
    "ON_REQUEST",
    "AudioHeader",
    "EmbeddingHeader",
    "EventHeader",
    "LevelsHeader",
    "Message",
    "Outgoing",
    "PauseRequest",
    "PcmBlock",
    "PcmEnd",
    "PcmFault",
    "PcmInput",
    "PcmPuller",
    "PcmPusher",
    "Publisher",
    "PublisherStatistics",
    "ScoresHeader",
    "ServiceControl",
    "ServiceHeader",
    "StatusHeader",
    "Subscriber",
    "TopLabel",
    "as_json",
    "audio_payload",
    "levels_payload",
    "scores_payload",
]
