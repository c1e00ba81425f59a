"""Runs the loop over tokens: samples draw, rows split and leave, waiting questions enter.

A question has a place while any of its samples runs. Sample j of the question at place p is number
p n + j everywhere here; S samples run on R rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ttrl.engine.draw import draw
from ttrl.engine.fast.decoder import make_decoder
from ttrl.engine.fast.prompts import Indices
from ttrl.engine.uniforms import uniforms
from ttrl.errors import NumericsError
from ttrl.types import SamplingParams

_ENTER_TOGETHER = 4
"""Questions enter when this part of the batch is free: a prefill for each alone would cost more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All n samples of one question; each has one value per token."""

    question: int
    tokens: list[list[int]]
    logprobs: list[list[float]]
    entropy: list[list[float]]
    stopped: list[bool]


class Decoding:
    """Decodes prompts into samples and yields questions in the order in which they finish."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[tuple[int, ...]],
        streams: Sequence[Sequence[int]],
        params: SamplingParams,
        *,
        stop_ids: set[int],
        max_rows: int,
        dtype: torch.dtype,
    ) -> None:
        """Args: streams: the streams of random numbers, one for each of a question's n samples."""
        self._tokenizer, self._params, self._prompts = tokenizer, params, prompts
        self._n, self._max_rows = len(streams[0]), max_rows
        self._all_streams = np.array(streams, dtype=np.int64)
        self._stop_ids = np.array(sorted(stop_ids), dtype=np.int64)
        self._vocabulary = int(model.config.get_text_config().vocab_size)
        together = max(1, max_rows // self._n)
        self._enter_with = max(1, together // _ENTER_TOGETHER)
        # Twice as many places as are needed: a question's last samples should not keep others out.
        places = min(len(prompts), 2 * together)
        self._decoder = make_decoder(
            model,
            max_tokens=params.max_tokens,
            longest_prompt=max(map(len, prompts)),
            questions=places,
            rows=min(len(prompts) * self._n, max(max_rows, self._n)),
            dtype=dtype,
        )
        # Like lengths together: less padding, and none at all for questions of one shape.
        self._waiting = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), -i))
        self._free = list(range(places))[::-1]
        self._question_at = np.zeros(places, dtype=np.int64)
        self._left = np.zeros(places, dtype=np.int64)
        """Samples of each place that still run."""
        self._sample: Indices = np.zeros(0, dtype=np.int64)
        """Samples that run, ascending by row.   [S]"""
        self._row_of: Indices = np.zeros(0, dtype=np.int64)
        """Row of each of them.   [S]"""
        count, shape = places * self._n, (places * self._n, params.max_tokens)
        self._streams = np.zeros(count, dtype=np.int64)
        self._length = np.zeros(count, dtype=np.int64)
        self._stopped = np.zeros(count, dtype=np.bool_)
        self._tokens = np.zeros(shape, dtype=np.int64)
        self._logprobs = np.zeros(shape, dtype=np.float32)
        self._entropy = np.zeros(shape, dtype=np.float32)
        self.computed = 0
        """Number of row positions decoded so far."""

    def run(self) -> Iterator[Drawing]:
        """Decodes until every sample has stopped or reached max_tokens.

        Raises:
            NumericsError: logits that are not finite.
        """
        logits = self._enter(rows=0)
        while logits is not None:
            tokens, done = self._draw(logits)
            self._left -= np.bincount(self._sample[done] // self._n, minlength=len(self._left))
            ended = np.unique(self._sample[done] // self._n)
            yield from (self._leave(int(p)) for p in ended if self._left[p] == 0)
            parents, tokens = self._split(tokens, done)
            self.computed += len(parents)
            stepped = self._decoder.step(tokens, parents) if len(parents) else None
            entered = self._enter(rows=len(parents))
            found = [part for part in (stepped, entered) if part is not None]
            logits = (found[0] if len(found) == 1 else torch.cat(found)) if found else None

    def _enter(self, *, rows: int) -> Tensor | None:
        """Lets questions in, whose rows come after the `rows` there are; their logits."""
        fit = min(len(self._free), (self._max_rows - len(self._sample)) // self._n)
        if rows == 0:
            fit = max(1, fit)
        elif not self._decoder.admits or fit < min(self._enter_with, len(self._waiting)):
            fit = 0
        count = min(fit, len(self._waiting))
        if count == 0:
            return None
        questions = [self._waiting.pop() for _ in range(count)]
        places = np.array([self._free.pop() for _ in range(count)], dtype=np.int64)
        self._question_at[places] = questions
        self._left[places] = self._n
        samples = (places[:, None] * self._n + np.arange(self._n)).ravel()
        self._streams[samples] = self._all_streams[questions].ravel()
        self._length[samples] = 0
        self._stopped[samples] = False
        new_rows = rows + np.arange(count).repeat(self._n)
        self._sample = np.concatenate([self._sample, samples])
        self._row_of = np.concatenate([self._row_of, new_rows])
        return self._decoder.admit(places, [self._prompts[i] for i in questions], after=rows)

    def _draw(self, logits: Tensor) -> tuple[Indices, NDArray[np.bool_]]:
        """The next token of each running sample, and whether it was its last.   [S], [S]"""
        sample = self._sample
        at = self._length[sample]
        drawn = draw(
            logits,
            torch.from_numpy(uniforms(self._streams[sample], at)),
            torch.from_numpy(self._row_of),
            self._params,
        )
        tokens: Indices = drawn.tokens.numpy()
        logprobs = drawn.logprobs.numpy()
        if not np.isfinite(logprobs).all():
            raise NumericsError(
                f"the model's log-probabilities at temperature {self._params.temperature:g} are not finite: "
                "its weights hold NaN or infinity, or the temperature is too small."
            )
        self._tokens[sample, at] = tokens
        self._logprobs[sample, at] = logprobs
        self._entropy[sample, at] = drawn.entropy.numpy()
        self._length[sample] = at + 1
        stopped = np.isin(tokens, self._stop_ids) | self._ends_with_stop_text()
        self._stopped[sample] = stopped
        return tokens, stopped | (at + 1 == self._params.max_tokens)

    def _leave(self, place: int) -> Drawing:
        """Frees the place of a question whose samples have all ended."""
        self._free.append(place)
        first = place * self._n
        samples = range(first, first + self._n)
        length = self._length[first : first + self._n].tolist()

        def cut(values: NDArray[np.generic]) -> list[list[float]]:
            return [values[i, :end].tolist() for i, end in zip(samples, length, strict=True)]

        return Drawing(
            question=int(self._question_at[place]),
            tokens=[self._tokens[i, :end].tolist() for i, end in zip(samples, length, strict=True)],
            logprobs=cut(self._logprobs),
            entropy=cut(self._entropy),
            stopped=self._stopped[first : first + self._n].tolist(),
        )

    def _split(self, tokens: Indices, done: NDArray[np.bool_]) -> tuple[Indices, Indices]:
        """Drops finished samples, gives each distinct (row, token) a row, and packs the rows.

        A row's first child stays where its parent is; further children fill rows that were left, then
        new ones; rows at the end move into rows still empty. So each step copies only what has to move.

        Returns:
            For each new row, its parent among the old rows and its token.   [R'], [R']
        """
        running = ~done
        self._sample, row_of, tokens = self._sample[running], self._row_of[running], tokens[running]
        pair, child_of = np.unique(row_of * self._vocabulary + tokens, return_inverse=True)
        parents, child_tokens = pair // self._vocabulary, pair % self._vocabulary
        rows = len(pair)
        stays = parents < rows
        stays[1:] &= parents[1:] != parents[:-1]
        slots = np.where(stays, parents, -1)
        moved = ~stays
        if moved.any():
            free = np.ones(rows, dtype=np.bool_)
            free[slots[stays]] = False
            slots[moved] = np.flatnonzero(free)
            self._decoder.copy_rows(parents[moved], slots[moved], rows)
        order = slots.argsort()
        row_of = slots[child_of]
        by_row = row_of.argsort(kind="stable")
        self._sample, self._row_of = self._sample[by_row], row_of[by_row]
        return parents[order], child_tokens[order]

    def _ends_with_stop_text(self) -> NDArray[np.bool_]:
        hit = np.zeros(len(self._sample), dtype=np.bool_)
        if self._params.stop:
            texts: dict[tuple[int, ...], bool] = {}
            for index, i in enumerate(self._sample):
                key = tuple(self._tokens[i, : self._length[i]].tolist())
                if key not in texts:
                    text = self._tokenizer.decode(list(key), skip_special_tokens=True)
                    texts[key] = any(stop in text for stop in self._params.stop)
                hit[index] = texts[key]
        return hit
