"""The shape of the registry's JSON. Decides nothing: inputs become arguments of services, outputs are read from rows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.reverse import reverse

from accounts.api.inputs import Input
from accounts.api.parsers import strict_json
from registry.digests import SHA256
from registry.models import Invitation, Metric, Project, Ref, RegisteredModel, Role, Upload, Version, Visibility
from registry.models.surroundings import Surroundings, surroundings_of
from registry.services.announcing import Offer, Wanted
from registry.services.direct import Way
from registry.services.metrics import Measured
from registry.services.uploads import sign
from registry.services.versions import File, Publication
from registry.trees import FILE

ROLE_NAMES = [role.label for role in Role]


class Time(serializers.DateTimeField):
    """DRF's own text of a time; from UTC, where all of ours come from, by the shortest way."""

    def to_representation(self, value: datetime) -> Any:
        if value.tzinfo is timezone.utc:
            return value.isoformat().removesuffix("+00:00") + "Z"
        return super().to_representation(value)


TIME = Time()


class LimitedText(serializers.CharField):
    """Text whose white space is kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"trim_whitespace": False, "allow_blank": True} | kwargs))


# --- Projects and members


class ProjectSerializer(serializers.ModelSerializer[Project]):
    personal = serializers.SerializerMethodField(help_text="Whether it is a user's own, named after the username.")
    role = serializers.SerializerMethodField(help_text="Yours; null for somebody who is no member.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ["name", "description", "visibility", "personal", "role", "created_at", "url"]

    def get_personal(self, project: Project) -> bool:
        return project.personal_of_id is not None

    def get_role(self, project: Project) -> str | None:
        role = getattr(project, "role", None)
        return Role(role).label if role is not None else None

    def get_url(self, project: Project) -> str:
        return reverse("project", args=[project.name], request=self.context.get("request"))


class ProjectInput(Input):
    name = serializers.CharField(max_length=39, help_text="Lower-case letters, digits, hyphens.")
    description = LimitedText(required=False, max_length=2000)
    visibility = serializers.ChoiceField(choices=Visibility.values, required=False)


class MemberSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(source="user.username")
    role = serializers.CharField(source="get_role_display")
    since = serializers.DateTimeField(source="created_at")


class MemberInput(Input):
    username = serializers.CharField(max_length=39)
    role = serializers.ChoiceField(choices=ROLE_NAMES)


class RoleInput(Input):
    role = serializers.ChoiceField(choices=ROLE_NAMES)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    role = serializers.CharField(source="get_role_display")
    invited_by = serializers.CharField(source="invited_by.username")

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "invited_by", "created_at", "expires_at"]


class InvitationInput(Input):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=ROLE_NAMES, default=Role.CONTRIBUTOR.label)


class AcceptanceInput(Input):
    token = serializers.CharField(max_length=200, help_text="From the mailed link.")


class AcceptanceSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(source="project.name")
    role = serializers.CharField(source="get_role_display")


# --- Models and versions


class LatestSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    digest = serializers.CharField()
    message = serializers.CharField()
    author = serializers.CharField(source="author_name")
    created_at = serializers.DateTimeField()


class ModelSerializer(serializers.ModelSerializer[RegisteredModel]):
    project = serializers.CharField(source="project.name")
    versions = serializers.IntegerField(source="last_number", help_text="The number of the newest version.")
    latest = serializers.SerializerMethodField()
    aliases = serializers.SerializerMethodField(help_text="Name → version number.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = RegisteredModel
        fields = [
            "project", "name", "kind", "description", "default_branch", "versions", "latest", "aliases", "created_at", "url",
        ]  # fmt: skip

    def get_latest(self, model: RegisteredModel) -> dict[str, Any] | None:
        heads = [ref for ref in model.refs.all() if ref.kind == Ref.Kind.BRANCH and ref.name == model.default_branch]
        return dict(LatestSerializer(heads[0].version).data) if heads else None

    def get_aliases(self, model: RegisteredModel) -> dict[str, int]:
        return {ref.name: ref.version.number for ref in model.refs.all() if ref.kind == Ref.Kind.ALIAS}

    def get_url(self, model: RegisteredModel) -> str:
        return reverse("model", args=[model.project.name, model.name], request=self.context.get("request"))


class ModelInput(Input):
    name = serializers.CharField(max_length=96, help_text="Letters, digits and . _ -")
    kind = serializers.ChoiceField(choices=RegisteredModel.Kind.values, required=False)
    description = LimitedText(required=False, max_length=2000)


class ModelChangeInput(ModelInput):
    default_branch = serializers.CharField(
        required=False, max_length=100, help_text="One that is there: what `latest` means."
    )


class ParentSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    digest = serializers.CharField()


class VersionsSerializer(serializers.ListSerializer[Any]):
    """Many versions: what is around them is asked for once, not for each."""

    def to_representation(self, data: Any) -> list[Any]:
        versions = list(data)
        around = surroundings_of(versions)
        return [self.child.shown(version, around[version.pk]) for version in versions]


class VersionSerializer(serializers.BaseSerializer[Version]):
    """Everything about a version but its bytes, from a row `with_figures`. By hand: lists are read more than all else."""

    class Meta:
        list_serializer_class = VersionsSerializer

    def to_representation(self, version: Version) -> dict[str, Any]:
        return self.shown(version, surroundings_of([version])[version.pk])

    def shown(self, version: Version, around: Surroundings) -> dict[str, Any]:
        model = version.model
        return {
            "project": model.project.name,
            "model": model.name,
            "number": version.number,
            "digest": version.digest,
            "tree": version.tree_id,
            "parents": [{"number": number, "digest": digest} for number, digest in around.parents],
            "branch": version.branch,
            "author": version.author_name,  # the username as it was then
            "message": version.message,
            "metadata": version.metadata,
            "created_at": TIME.to_representation(version.created_at),
            "refs": [{"kind": kind, "name": name} for kind, name in around.refs],
            "metrics": around.metrics,
            "files": {"count": version.tree.files, "size": version.tree.size},
            "deprecated": version.deprecated or None,
            "url": f"{self._versions_of(model)}{version.number}/",
        }

    def _versions_of(self, model: RegisteredModel) -> str:
        """Return the address of a model's versions; worked out once for all those of one answer."""
        known: dict[int, str] = self.__dict__.setdefault("known_addresses", {})
        if model.pk not in known:
            first = reverse("version", args=[model.project.name, model.name, "1"], request=self.context.get("request"))
            known[model.pk] = first.removesuffix("1/")
        return known[model.pk]


class EntrySerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=["file", "directory"])
    mode = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes; of a directory, of all its files.")
    digest = serializers.CharField(help_text="SHA-256 of a file's bytes, or the digest of a directory.")
    version = serializers.IntegerField(help_text="The version that brought it.", allow_null=True)


# --- Metrics


class MetricSerializer(serializers.BaseSerializer[Metric]):
    def to_representation(self, metric: Metric) -> dict[str, Any]:
        shown = {"name": metric.name, **measured(metric.value, metric.text), "step": metric.step}
        return shown | {"author": metric.author.username, "created_at": TIME.to_representation(metric.created_at)}


def measured(value: float | None, text: str | None) -> dict[str, Any]:
    """Return a metric's value under the name of its kind."""
    return {"value": value} if text is None else {"text": text}


class NumberField(serializers.FloatField):
    """A number of JSON as it came: no text, no truth value. Whether it is finite, the service says."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        return data


class MetricInput(Input):
    name = serializers.CharField(max_length=200)
    value = NumberField(required=False, help_text="A finite number …")
    text = serializers.CharField(required=False, max_length=1000, help_text="… or a text.")
    step = serializers.IntegerField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> Measured:
        if ("value" in attrs) == ("text" in attrs):
            raise serializers.ValidationError("Give either a `value` (a number) or a `text`.")
        return Measured(attrs["name"], attrs.get("value", attrs.get("text", "")), attrs.get("step"))


class MetricsAddedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="Values that were there already.")


# --- Uploads


class UploadInput(Input):
    size = serializers.IntegerField(min_value=0, help_text="Bytes.")
    sha256 = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Leave out to hash while sending."
    )

    def run_validation(self, data: Any = empty) -> Any:
        """As ever; thousands come at once, and what is plainly right is not looked at field by field."""
        match data:
            case {"size": size, "sha256": str(sha256), **rest} if not rest and type(size) is int and size >= 0:
                if SHA256.fullmatch(sha256):
                    return Wanted(size, sha256)
        return super().run_validation(data)

    def validate(self, attrs: dict[str, Any]) -> Wanted:
        return Wanted(attrs["size"], attrs.get("sha256", ""))


NOBODY = UUID(int=0)


class OfferSerializer(serializers.Serializer[Any]):
    """One file of the answer: stored, or where to send it."""

    id = serializers.CharField(required=False)
    sha256 = serializers.CharField(allow_null=True)
    size = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["stored", "missing"])
    href = serializers.CharField(required=False, help_text="Send the bytes here; it needs no Authorization header.")
    method = serializers.CharField(required=False)
    headers = serializers.DictField(required=False)
    offset = serializers.IntegerField(required=False)
    parts = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="Instead of `href`: {number, offset, size, href, etag} of each part; `etag` is null until it is there.",
    )
    complete = serializers.CharField(
        required=False, help_text="POST here when the store has the bytes; it needs no Authorization header."
    )
    expires_at = serializers.DateTimeField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of an upload whose key is NOBODY, by the name of the route: resolving it for each takes longer than all else.
        self._addresses = dict[str, str]()

    def to_representation(self, offer: Offer) -> dict[str, Any]:
        wanted, upload = offer.wanted, offer.upload
        if upload is None:
            return {"sha256": wanted.sha256, "size": wanted.size, "status": "stored"}
        return {
            "id": str(upload.pk),
            "sha256": wanted.sha256 or None,
            "size": wanted.size,
            "status": "missing",
            "method": "PUT",
            **(self._here(upload) if offer.way is None else self._past_us(upload, offer.way)),
            "expires_at": TIME.to_representation(upload.expires_at),
        }

    def _here(self, upload: Upload) -> dict[str, Any]:
        # Without the last slash: behind one, `curl -T` would add the file's name.
        return {"href": self._signed("upload", upload), "headers": {}, "offset": upload.offset}

    def _past_us(self, upload: Upload, way: Way) -> dict[str, Any]:
        told = {"headers": dict(way.headers), "complete": self._signed("upload-complete", upload)}
        return told | ({"href": way.href} if way.href else {"parts": [asdict(part) for part in way.parts]})

    def _signed(self, name: str, upload: Upload) -> str:
        if name not in self._addresses:
            self._addresses[name] = reverse(name, args=[NOBODY], request=self.context.get("request")).rstrip("/")
        address, query = self._addresses[name].replace(str(NOBODY), str(upload.pk)), sign(upload)
        return f"{address}?expires={query['expires']}&signature={query['signature']}"


class UploadSerializer(serializers.ModelSerializer[Upload]):
    sha256 = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField(help_text="missing, verifying, stored or refused")

    class Meta:
        model = Upload
        fields = ["id", "sha256", "size", "offset", "status", "expires_at"]

    def get_sha256(self, upload: Upload) -> str | None:
        return upload.sha256 or None

    def get_status(self, upload: Upload) -> str:
        if upload.stored_at:
            return "stored"
        return "refused" if upload.refused else "verifying" if upload.verifying_at else "missing"


class PartInput(Input):
    number = serializers.IntegerField(min_value=1)
    etag = serializers.CharField()


class CompletionInput(Input):
    """What the store answered to each part, where the sender knows."""

    parts = PartInput(many=True, required=False)


# --- Publishing


class JSONText(serializers.JSONField):
    """A JSON value; in a form, its text."""

    def get_value(self, dictionary: Any) -> Any:
        value = super().get_value(dictionary)
        return strict_json(value) if isinstance(value, str) and value.strip() else value

    def to_internal_value(self, data: Any) -> Any:
        return data


class FileInput(Input):
    path = serializers.CharField(trim_whitespace=False)
    sha256 = serializers.CharField(max_length=64)
    mode = serializers.CharField(default=FILE, max_length=6)

    def run_validation(self, data: Any = empty) -> Any:
        """As ever; thousands come at once, and what is plainly right is not looked at field by field."""
        match data:
            case {"path": str(path), "sha256": str(sha256), **rest} if not rest and path.isascii():
                if path.isprintable() and path.strip() and SHA256.fullmatch(sha256):
                    return {"path": path, "sha256": sha256, "mode": FILE}
        return super().run_validation(data)


class PublicationInput(Input):
    message = LimitedText(required=False, default="", help_text="The first line is the title.")
    branch = serializers.CharField(default="", max_length=100, help_text="The default branch when left out.")
    parent = serializers.CharField(
        required=False, allow_null=True, help_text="The head that you expect; 409 when it has moved on."
    )
    files = FileInput(many=True, required=False)
    base = serializers.ChoiceField(
        choices=["parent", "empty"], default="parent", help_text="empty: the files are all there is."
    )
    remove = serializers.ListField(child=serializers.CharField(trim_whitespace=False), required=False)
    metadata = serializers.DictField(required=False)
    metrics = MetricInput(many=True, required=False)
    tag = serializers.CharField(required=False, allow_null=True, max_length=100)
    alias = serializers.CharField(required=False, allow_null=True, max_length=100)
    derived_from = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="project/model@revision, of other models."
    )

    def publication(self, *, key: str = "", arrived: list[File] | None = None) -> Publication:
        """Return what was asked for, with the files that came in the same form; only after is_valid()."""
        said = dict(self.validated_data)
        files = [File(file["path"], file["sha256"], file["mode"]) for file in said.pop("files", [])]
        return Publication(files=arrived or files, idempotency_key=key, **said)
