"""The calls about uploads: ask which bytes are missing, send them, look at them, cancel."""

from __future__ import annotations

from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from lmvp.numerals import whole_number
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.parsers import LongJSON, RawBytes, announced_length, body_chunks
from registry.api.rooms import Room
from registry.api.serializers import CompletionInput, OfferSerializer, UploadInput, UploadSerializer
from registry.errors import Invalid
from registry.models import Upload
from registry.permissions import Action, require
from registry.services import announcing, direct, resuming, uploads

SENDING = ("PUT", "PATCH", "HEAD", "POST")  # what a signed address is good for


class UploadRoom(Room):
    """Uploads are asked for with an account, and sent to a signed address that needs none."""

    permission_classes = [AllowAny]

    def upload(self, action: Action = Action.UPLOAD) -> Upload:
        query, user = self.request.query_params, self.request.user
        return uploads.find_upload(
            actor=user if isinstance(user, User) else None,
            upload_id=str(self.kwargs["pk"]),
            signature=query.get("signature", "") if self.request.method in SENDING else "",
            expires=query.get("expires", ""),
            action=action,
        )


class UploadViewSet(UploadRoom):
    parser_classes = [RawBytes]

    @documented(
        "Show an upload",
        name="uploads_read",
        tag="uploads",
        answer=(200, "The upload.", doc.STORED),
        errors=(401, 404, 410),
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        return self.show(UploadSerializer, self.upload(Action.VIEW_UPLOAD))

    @documented(
        "Send the bytes of an upload",
        name="uploads_send",
        tag="uploads",
        body=doc.RAW,
        consumes=["application/octet-stream"],
        answer=(200, "Stored, with its digest.", doc.STORED),
        errors=(400, 401, 404, 410, 507),
        query=[doc.query("expires", "From `href`."), doc.query("signature", "From `href`; instead of Authorization.")],
    )
    def update(self, request: Request, pk: str) -> Response:
        upload = self.upload()
        announced = announced_length(request._request)
        if announced not in (None, upload.size) and "HTTP_TRANSFER_ENCODING" not in request.META:
            raise Invalid("size_mismatch", f"This upload is for {upload.size:,} bytes, and the body has {announced:,}.")
        return self.show(UploadSerializer, uploads.receive(upload=upload, chunks=body_chunks(request._request)))

    @documented(
        "Send the next bytes of an upload",
        name="uploads_append",
        tag="uploads",
        body=doc.RAW,
        consumes=["application/offset+octet-stream"],
        answer=(
            204,
            "What came is safe; `Upload-Offset` says how much there is. With the last byte it is stored.",
            None,
        ),
        errors=(400, 401, 404, 409, 410, 423, 507),
        query=[
            doc.header("Upload-Offset", "Where these bytes begin: what HEAD answers.", required=True),
            doc.query("expires", "From `href`."),
            doc.query("signature", "From `href`; instead of Authorization."),
        ],
        operation_description="The core of tus 1.0: a part may be of any length, and goes on where the last one ended.",
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        upload = self.upload()
        offset = _offset(request)
        if offset + (announced_length(request._request) or 0) > upload.size:
            raise Invalid("size_mismatch", f"This upload is for {upload.size:,} bytes, and this would be more.")
        chunks = body_chunks(request._request)
        return _told(resuming.append(upload=upload, offset=offset, chunks=chunks), status=204)

    @documented(
        "Ask how far an upload is",
        name="uploads_offset",
        tag="uploads",
        answer=(200, "In the headers `Upload-Offset` and `Upload-Length`.", None),
        errors=(401, 404, 410),
        query=[doc.query("expires", "From `href`."), doc.query("signature", "From `href`; instead of Authorization.")],
    )
    def offset(self, request: Request, pk: str) -> Response:
        return _told(self.upload(Action.VIEW_UPLOAD), status=200)

    @documented(
        "Cancel an upload",
        name="uploads_delete",
        tag="uploads",
        answer=(204, "Forgotten.", None),
        errors=(401, 404, 410),
    )
    def destroy(self, request: Request, pk: str) -> Response:
        uploads.cancel(upload=self.upload())
        return Response(status=204)


class CompletionViewSet(UploadRoom):
    @documented(
        "Complete an upload that went to the store itself",
        name="uploads_complete",
        tag="uploads",
        body=CompletionInput,
        answer=(200, "Stored, with its digest. 202: the server reads it back; ask again in a moment.", doc.STORED),
        errors=(400, 401, 404, 409, 410, 503),
        query=[doc.query("expires", "From `complete`."), doc.query("signature", "Likewise; instead of Authorization.")],
        operation_description="`parts` may name the `ETag` that the store answered to each part; then they are compared.",
    )
    def create(self, request: Request, pk: str) -> Response:
        upload = self.upload()
        said = self.read(CompletionInput).validated_data
        etags = {part["number"]: part["etag"] for part in said.get("parts", [])}
        done = direct.complete(upload=upload, etags=etags)
        return self.show(UploadSerializer, done, 200 if done.stored_at else 202)


def _offset(request: Request) -> int:
    offset = whole_number(request.headers.get("Upload-Offset", ""))
    if offset is None:
        raise Invalid(
            "invalid_offset", "Say in `Upload-Offset` where these bytes begin: HEAD tells how far the upload is."
        )
    return offset


def _told(upload: Upload, *, status: int) -> Response:
    offset = upload.size if upload.stored_at else upload.offset
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.size), "Tus-Resumable": "1.0.0"}
    return Response(status=status, headers=headers | {"Cache-Control": "no-store"})


def _reaches_store(request: Request) -> bool:
    """Programs do, where it has a public address. Our pages speak with us alone, by their Content-Security-Policy."""
    return not isinstance(request.successful_authenticator, SessionAuthentication)


class UploadOfferViewSet(Room):
    parser_classes = [LongJSON]

    @documented(
        "Ask which bytes are missing",
        name="uploads_create",
        tag="uploads",
        body=UploadInput(many=True),
        answer=(200, "For each file, in the same order: stored already, or where to send it.", [doc.UPLOAD]),
        errors=(400, 401, 403, 404, 507),
    )
    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.UPLOAD, there.project)
        files = self.read(UploadInput, many=True).validated_data
        offers = announcing.announce(actor=request.user, model=there, files=files, past_us=_reaches_store(request))
        return Response(OfferSerializer(offers, many=True, context=self.get_serializer_context()).data)


class ProjectUploadOfferViewSet(Room):
    parser_classes = [LongJSON]

    @documented(
        "Ask which bytes of artifacts are missing",
        name="project_uploads_create",
        tag="uploads",
        body=UploadInput(many=True),
        answer=(200, "For each file, in the same order: stored already, or where to send it.", [doc.UPLOAD]),
        errors=(400, 401, 403, 404, 507),
    )
    def create(self, request: Request, project: str) -> Response:
        there = self.project()
        require(request.user, Action.UPLOAD, there)
        files = self.read(UploadInput, many=True).validated_data
        offers = announcing.announce_to_project(
            actor=request.user, project=there, files=files, past_us=_reaches_store(request)
        )
        return Response(OfferSerializer(offers, many=True, context=self.get_serializer_context()).data)
