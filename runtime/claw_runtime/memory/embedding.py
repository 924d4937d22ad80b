"""Turning texts into vectors that are close when their meanings are. Optional: without an embedder, words must do.

Any API that is shaped like OpenAI's `/embeddings` will do, a local server's as well. Its answers are believed only when
they are what was asked for: as many vectors as texts, all of one dimension, of finite numbers.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, ValidationError

from claw_runtime.settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientSession

DEFAULT_MODEL = "text-embedding-3-small"
MAX_DIMENSION = 4_000
MAX_ANSWER_BYTES = 32 * 2**20
MAX_TEXT = 8_000
"""Characters of one text that are sent; a chunk is shorter."""

Vector = list[float]


class EmbeddingFailed(Exception):
    """There are no vectors now. The text is for the customer; `retry_after` is in seconds, where the API told any."""

    def __init__(self, reason: str, *, refused: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.refused = refused
        """Whether these texts were not wanted: sending them again does not help."""
        self.retry_after = retry_after


class Embedder(Protocol):
    """Makes vectors."""

    @property
    def model(self) -> str:
        """What makes them. Vectors of different models are not comparable."""
        ...

    async def embed(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        """The vector of each text, within so many seconds. Raises EmbeddingFailed."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Embedding(_Lenient):
    index: int = Field(ge=0)
    embedding: Annotated[list[Annotated[float, AllowInfNan(False)]], Field(min_length=1, max_length=MAX_DIMENSION)]


class _Answer(_Lenient):
    data: list[_Embedding]


class HttpEmbedder:
    """An API shaped like OpenAI's. `url` is its base, with or without `/embeddings`."""

    def __init__(self, url: str, api_key: str | None, model: str) -> None:
        self._url = url.rstrip("/").removesuffix("/embeddings") + "/embeddings"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._session: ClientSession | None = None

    @property
    def model(self) -> str:
        """As in Embedder."""
        return self._model

    async def embed(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        """As in Embedder."""
        from aiohttp import ClientError

        body = {"model": self._model, "input": [text[:MAX_TEXT] for text in texts], "encoding_format": "float"}
        try:
            async with asyncio.timeout(seconds):
                raw = await self._post(body)
        except TimeoutError:
            raise EmbeddingFailed(f"The embedding model did not answer within {seconds:.0f} seconds.") from None
        except ClientError as error:
            raise EmbeddingFailed("The embedding model could not be reached.") from error
        try:
            answer = _Answer.model_validate_json(raw)
        except ValidationError:
            raise EmbeddingFailed("The embedding model's answer could not be understood.") from None
        return _in_order(answer, len(texts))

    async def close(self) -> None:
        """As in Embedder."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, body: object) -> bytes:
        if self._session is None:
            from aiohttp import ClientSession

            self._session = ClientSession(headers=self._headers)
        async with self._session.post(self._url, json=body, allow_redirects=False) as response:
            if response.status != 200:
                raise _failure(response.status, response.headers.get("Retry-After"))
            raw = await response.content.read(MAX_ANSWER_BYTES)
            while part := await response.content.read(MAX_ANSWER_BYTES):
                raw += part
                if len(raw) > MAX_ANSWER_BYTES:
                    raise EmbeddingFailed("The embedding model's answer is too long.")
            return raw


def embedder_of(settings: Settings) -> Embedder | None:
    """The embedder that the environment names; None for none."""
    if settings.embeddings_url is None:
        return None
    key = settings.embeddings_api_key.get_secret_value() if settings.embeddings_api_key else None
    return HttpEmbedder(str(settings.embeddings_url), key, settings.embeddings_model or DEFAULT_MODEL)


def _in_order(answer: _Answer, count: int) -> list[Vector]:
    vectors = {entry.index: entry.embedding for entry in answer.data}
    if sorted(vectors) != list(range(count)) or len({len(vector) for vector in vectors.values()}) > 1:
        raise EmbeddingFailed("The embedding model answered something else than what it was asked.")
    if any(not any(vector) for vector in vectors.values()):  # of length zero: it has no direction to compare
        raise EmbeddingFailed("The embedding model answered a vector without direction.", refused=True)
    return [vectors[place] for place in range(count)]


def _failure(status: int, retry_after: str | None) -> EmbeddingFailed:
    if status in (401, 403):
        return EmbeddingFailed("The embedding model refuses the key.")
    if status == 404:
        return EmbeddingFailed("There is no embedding model at the address that is set.")
    if status in (400, 413, 422):
        return EmbeddingFailed("The embedding model does not take the text.", refused=True)
    return EmbeddingFailed("The embedding model is busy or failing.", retry_after=_seconds(retry_after))


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header) if header is not None else math.nan
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None
