"""A contract server for Salesforce: OAuth, Bulk API 2.0 ingest and queries, with its faults.

`Salesforce` is an ASGI application. What a test sets on it decides how it behaves; `calls` is the
log of what was asked. The records behind it are those of `salesforce_org`.
"""

import asyncio
import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.contract.salesforce_org import Job, Org
from tests.contract.serving import break_off

CLIENT_ID, CLIENT_SECRET = "the-consumer-key", "the-consumer-secret"
USERNAME = "scores@acme.example"
VERSION = "67.0"
URL_CHARACTERS = 16_384

Handler = Callable[[Request], Any]


@dataclass(frozen=True)
class Call:
    """A call that was answered, or cut off."""

    name: str
    status: int | str


def refused(status: int, code: str, message: str = "see the documents") -> JSONResponse:
    return JSONResponse([{"errorCode": code, "message": message}], status_code=status)


@dataclass
class Salesforce:
    """The server.

    Attributes:
        org: The records.
        address: Where it is served; the answer to a login names it.
        public_key: What checks a JWT.
        most_bytes: The limit of a job's data.
        page: How many records an answer to a query holds.
        daily_calls: How many calls are left today; None without a limit.
        unavailable: The share of calls answered 503, and not carried out.
        dropped_before: The share of calls whose connection breaks before they are carried out.
        dropped_after: The same, after they were carried out.
        on_call: Called with a call's name once it was carried out, before it is answered; gives
            whether to break the connection.
        instead: By a call's name, the status and text that are answered in place of the right ones.
        calls: The calls so far, without logins' secrets.
    """

    org: Org
    address: str = ""
    public_key: str = ""
    most_bytes: int = 100_000_000
    page: int = 2000
    daily_calls: int | None = None
    unavailable: float = 0.0
    dropped_before: float = 0.0
    dropped_after: float = 0.0
    on_call: Callable[[str], bool] = lambda _name: False
    instead: dict[str, tuple[int, str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    never_again: bool = False
    pages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data, job = f"/services/data/v{VERSION}", "/jobs/ingest/{id}"
        self._app = Starlette(
            routes=[
                Route("/services/oauth2/token", self._login, methods=["POST"], name="login"),
                Route(f"{data}/jobs/ingest", self._create, methods=["POST"], name="create"),
                Route(f"{data}{job}/batches", self._upload, methods=["PUT"], name="upload"),
                Route(f"{data}{job}", self._change, methods=["PATCH"], name="close"),
                Route(f"{data}{job}", self._poll, methods=["GET"], name="poll"),
                Route(f"{data}{job}/successfulResults/", self._done, name="done"),
                Route(f"{data}{job}/failedResults/", self._failed, name="failed"),
                Route(f"{data}{job}/unprocessedrecords/", self._unprocessed, name="unprocessed"),
                Route(f"{data}/query", self._query, name="query"),
                Route(f"{data}/query/{{page}}", self._more, name="more"),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a call, or break its connection."""
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        if self._strikes(self.dropped_before):
            return await break_off(send)
        await self._app(scope, receive, keep)
        name = getattr(scope.get("route"), "name", None) or "unknown"
        cut = await asyncio.to_thread(self.on_call, name) or self._strikes(self.dropped_after)
        self.calls.append(Call(name, "dropped" if cut else sent[0]["status"]))
        if cut:
            return await break_off(send)
        if name in self.instead:
            status, text = self.instead[name]
            return await Response(text, status)(scope, receive, send)
        for message in sent:
            await send(message)
        return None

    def counts(self) -> Counter[str]:
        """How often each call was made."""
        return Counter(call.name for call in self.calls)

    def expire(self) -> None:
        """End every session."""
        self.tokens.clear()

    def _strikes(self, share: float) -> bool:
        return share > 0 and self.dice.random() < share

    async def _login(self, request: Request) -> Response:
        given = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        self.logins += 1
        if not self._knows(given):
            return JSONResponse(
                {"error": "invalid_client", "error_description": "who are you"}, status_code=400
            )
        token = f"00D!token-{self.logins}"
        if not self.never_again:
            self.tokens.add(token)
        return JSONResponse(
            {"access_token": token, "instance_url": self.address, "token_type": "Bearer"}
        )

    def _knows(self, given: dict[str, str]) -> bool:
        if given.get("grant_type") == "client_credentials":
            return (given.get("client_id"), given.get("client_secret")) == (
                CLIENT_ID,
                CLIENT_SECRET,
            )
        try:
            claims = jwt.decode(
                given["assertion"],
                self.public_key,
                algorithms=["RS256"],
                audience=self.address,
                issuer=CLIENT_ID,
                options={"require": ["exp", "aud", "iss", "sub"], "verify_exp": False},
            )
        except (jwt.PyJWTError, KeyError):
            return False
        jwt_bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return given["grant_type"] == jwt_bearer and claims["sub"] == USERNAME

    def _turned_away(self, request: Request) -> Response | None:
        if self._strikes(self.unavailable):
            return refused(503, "SERVER_UNAVAILABLE")
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.daily_calls is not None:
            if self.daily_calls <= 0:
                return refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self.daily_calls -= 1
        return None

    def _job(self, request: Request) -> Job | Response:
        away = self._turned_away(request)
        return away or self.org.jobs.get(request.path_params["id"]) or refused(404, "NOT_FOUND")

    async def _create(self, request: Request) -> Response:
        if away := self._turned_away(request):
            return away
        order = await request.json()
        known = {"object", "operation", "externalIdFieldName", "contentType", "lineEnding"}
        if odd := sorted(set(order) - known - {"columnDelimiter"}):
            return refused(400, "JSON_PARSER_ERROR", f"Unrecognized field {odd[0]}")
        upsert = order["operation"] == "upsert"
        if upsert and order.get("externalIdFieldName") != self.org.external_id:
            return refused(400, "INVALIDJOB", "the field is no external id")
        if (order["contentType"], order["lineEnding"]) != ("CSV", "LF"):
            return refused(400, "INVALIDJOB")
        return JSONResponse(self.org.open_job(order).answer)

    async def _upload(self, request: Request) -> Response:
        body = await request.body()
        job = self._job(request)
        if isinstance(job, Response):
            return job
        if job.state != "Open":
            return refused(400, "INVALIDJOBSTATE", "the job takes no data")
        if request.headers["content-type"].partition(";")[0] != "text/csv":
            return refused(400, "INVALIDCONTENTTYPE")
        if len(body) > self.most_bytes:
            return refused(413, "LIMIT_EXCEEDED", "the data is too large")
        job.data, job.uploads = body, job.uploads + 1
        return Response(status_code=201)

    async def _change(self, request: Request) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        wanted = json.loads(await request.body())["state"]
        if job.state != "Open" and not (wanted == "Aborted" and job.state == "UploadComplete"):
            return refused(400, "INVALIDJOBSTATE", f"the job is {job.state}")
        if wanted == "UploadComplete" and job.uploads > 1:
            return refused(400, "INVALIDJOB", "there is more than one content")
        if wanted == "UploadComplete":
            self.org.close_job(job)
        else:
            job.state = wanted
        return JSONResponse(job.answer)

    async def _poll(self, request: Request) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        self.org.poll(job)
        return JSONResponse(job.answer)

    async def _done(self, request: Request) -> Response:
        return self._results(request, "done", ["sf__Id", "sf__Created"])

    async def _failed(self, request: Request) -> Response:
        return self._results(request, "failed", ["sf__Id", "sf__Error"])

    async def _unprocessed(self, request: Request) -> Response:
        return self._results(request, "unprocessed", [])

    def _results(self, request: Request, part: str, first: list[str]) -> Response:
        job = self._job(request)
        if isinstance(job, Response):
            return job
        if job.state not in {"JobComplete", "Failed", "Aborted"}:
            return refused(400, "INVALIDJOBSTATE", "the job is not over")
        written = io.StringIO()
        writer = csv.DictWriter(written, first + job.columns, lineterminator="\n", quoting=1)
        writer.writeheader()
        writer.writerows(getattr(job, part))
        return Response(written.getvalue(), media_type="text/csv")

    async def _query(self, request: Request) -> Response:
        if away := self._turned_away(request):
            return away
        if len(str(request.url)) > URL_CHARACTERS:
            return refused(414, "URI_TOO_LONG")
        soql = request.query_params["q"]
        if self.org.external_id not in soql:
            return refused(400, "INVALID_FIELD", f"{soql}\n ^\nNo such column on entity")
        found = self.org.query(soql)
        if found is None:
            return refused(400, "MALFORMED_QUERY", f"{soql}\n ^\nunexpected token: {soql[-9:]}")
        return self._paged(found)

    async def _more(self, request: Request) -> Response:
        away = self._turned_away(request)
        return away or self._paged(self.pages[request.path_params["page"]])

    def _paged(self, found: list[dict[str, Any]]) -> Response:
        here, rest = found[: self.page], found[self.page :]
        answer = {"totalSize": len(found), "done": not rest, "records": here}
        if rest:
            name = f"01g{len(self.pages):06}-{self.page}"
            self.pages[name] = rest
            answer["nextRecordsUrl"] = f"/services/data/v{VERSION}/query/{name}"
        return JSONResponse(answer)
