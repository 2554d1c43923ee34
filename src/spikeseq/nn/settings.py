"""What a recipe and a model file say about a model, and how it is built from that."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spikeseq.errors import ConfigError, SpikeseqError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.frames import FrameClassifier
from spikeseq.nn.memory import NEURONS
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator, translator

Network = SequenceClassifier | FrameClassifier | TextClassifier | PictureClassifier | Translator


@dataclass(frozen=True)
class TextSettings:
    """Of ``network: text`` alone; nn/text.py.

    embedding_size: numbers for each token
    embedding_dropout: probability, of the embedding's numbers, one mask for each text
    per_channel: a threshold and a leak for each channel, not for each layer
    head: linear, or mlp
    """

    embedding_size: int = 100
    embedding_dropout: float = 0.5
    per_channel: bool = False
    head: Literal["linear", "mlp"] = "linear"


@dataclass(frozen=True)
class PictureSettings:
    """Of ``network: pictures`` alone; nn/pictures.py.

    channels: of each convolution
    per_channel: a threshold and a leak for each channel, not for each layer
    pooling: what each 2 x 2 block of a map becomes: max, mean or sum
    pooled: behind which convolutions, counted from 1, blocks are pooled; null: behind each
    """

    channels: list[int] = field(default_factory=lambda: [16, 32])
    per_channel: bool = True
    pooling: Literal["max", "mean", "sum"] = "max"
    pooled: list[int] | None = None


@dataclass(frozen=True)
class TranslationSettings:
    """Of ``network: translation`` alone; nn/translation.

    embedding_size: numbers for each token
    attention: softmax, or shift (accumulate-only); of convolutional networks
    kernel_size: taps of each convolution
    positions: most tokens of a sentence
    levels: of the graded spikes before the last product; of spiking networks
    reach: largest value of these, a power of two
    """

    embedding_size: int = 128
    attention: Literal["softmax", "shift"] = "softmax"
    kernel_size: int = 3
    positions: int = 100
    levels: int = 4
    reach: float = 1.0


@dataclass(frozen=True)
class ModelSettings:
    """What builds a model: recurrent layers with a readout, or a network for texts, pictures or translation.

    cell: kind of layer: torch_lstm, torch_gru, lstm, gru, hard_lstm, quantized_lstm, spiking_lstm, stream_lstm,
        gated_current, hard_gated_current, spiking_gated_current, leaky_current or adlif; of texts and pictures: lif, if, relu,
        rnn, gru, lstm, quantized_lstm or spiking_lstm; of translation: lif, if, graded_lif, relu, glu, lstm, plain_lif or
        plain_if
    hidden_size: H, units of each layer and direction; of pictures: of the dense part
    num_layers: layers on top of each other; of texts: layers of neurons; of translation: blocks on either side
    dropout: probability, between layers and before the readout
    bidirectional: run the sequence backwards as well
    pooling: readout of the last element, or of the mean over the sequence
    options: further arguments of the layer: time_steps, max_packet, shift, leak, input_encoding, input_levels, bias; of
        currents: variant, bits, threshold_levels, rounding, levels, range, candidate, batch_norm, recurrent_dropout,
        input_bits; of adlif: form, recurrent, batch_norm; of lif and if: threshold, learn_threshold, leak, learn_leak,
        dyadic_leak, reset; of graded_lif: levels, threshold, learn_threshold, leak, learn_leak, dyadic_leak
    output: one class for a sequence, or one for each of its frames (then pooling has no effect)
    network: layers (recurrent layers of vectors), text (embedding first), pictures (convolutions first) or translation
    text: of network: text
    pictures: of network: pictures
    translation: of network: translation
    """

    cell: str = "torch_lstm"
    hidden_size: int = 128
    num_layers: int = 1
    dropout: float = 0.0
    bidirectional: bool = False
    pooling: Literal["last", "mean"] = "last"
    options: dict[str, Any] = field(default_factory=dict)
    output: Literal["sequence", "frames"] = "sequence"
    network: Literal["layers", "text", "pictures", "translation"] = "layers"
    text: TextSettings = field(default_factory=TextSettings)
    pictures: PictureSettings = field(default_factory=PictureSettings)
    translation: TranslationSettings = field(default_factory=TranslationSettings)

    def build(self, input_size: int, classes: int, element_shape: Sequence[int] = ()) -> Network:
        """Return the model with fresh weights. Raises ConfigError for settings that cannot work.

        input_size     I; of texts the size of the vocabulary
        element_shape  of pictures: channels, height and width
        """
        makers = {"layers": _layers, "text": _text, "pictures": _pictures, "translation": _translation}
        try:
            return makers[self.network](self, input_size, classes, element_shape)
        except SpikeseqError:
            raise
        except (RuntimeError, MemoryError) as error:  # torch's own carries a trace of its C++ code
            why = str(error).partition("\n")[0]
            own = "" if self.network == "layers" else f", {self.network}={getattr(self, self.network)}"
            raise ConfigError(
                f"model: hidden_size={self.hidden_size}, num_layers={self.num_layers}{own} cannot be built ({why}); pass fewer"
            ) from error
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"model: {self} cannot be built ({error}); options of each layer are listed in `spikeseq train --help`"
            ) from error

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ModelSettings:
        """Return the settings that ``dataclasses.asdict`` gave. Raises TypeError for what is none."""
        made = dict(content)
        for own in dataclasses.fields(cls):
            if own.name in made and dataclasses.is_dataclass(own.default_factory):
                made[own.name] = own.default_factory(**made[own.name])
        return cls(**made)


def _layers(s: ModelSettings, inputs: int, classes: int, shape: Sequence[int]) -> Network:
    if s.output == "frames":
        return FrameClassifier(
            inputs, s.hidden_size, classes, s.cell, s.num_layers, s.dropout, s.bidirectional, s.options
        )
    return SequenceClassifier(
        inputs, s.hidden_size, classes, s.cell, s.num_layers, s.dropout, s.bidirectional, s.pooling, s.options
    )


def _text(s: ModelSettings, vocabulary: int, classes: int, shape: Sequence[int]) -> Network:
    _only_layers_have(s, one_layer=s.cell not in NEURONS)
    t = s.text
    return TextClassifier(
        vocabulary, classes, s.cell, s.hidden_size, t.embedding_size, s.num_layers, t.per_channel, s.dropout,
        t.embedding_dropout, t.head, s.options,
    )  # fmt: skip


def _pictures(s: ModelSettings, inputs: int, classes: int, shape: Sequence[int]) -> Network:
    _only_layers_have(s, one_layer=True)
    if not shape:
        raise ConfigError(
            "model.network='pictures': the elements of this data are vectors, not pictures; set model.network: layers, or "
            "take data of pictures (nmnist, dvs_gesture)"
        )
    p = s.pictures
    return PictureClassifier(
        shape, classes, s.cell, p.channels, s.hidden_size, p.per_channel, s.dropout, s.options, p.pooling, p.pooled
    )


def _translation(s: ModelSettings, vocabulary: int, classes: int, shape: Sequence[int]) -> Network:
    _only_layers_have(s, one_layer=False)
    return translator(
        s.cell, vocabulary, hidden_size=s.hidden_size, layers=s.num_layers, dropout=s.dropout, options=s.options,
        **dataclasses.asdict(s.translation),
    )  # fmt: skip


def _only_layers_have(s: ModelSettings, one_layer: bool) -> None:
    """Raise ConfigError for a setting that this network does not use."""
    plain = ModelSettings()
    names = ["bidirectional", "pooling", "output", *(["num_layers"] if one_layer else [])]
    for name in names:
        value, only = getattr(s, name), getattr(plain, name)
        if value != only:
            raise ConfigError(
                f"model.{name}={value!r} with model.network={s.network!r}, cell={s.cell!r}: set it to {only!r}"
            )
