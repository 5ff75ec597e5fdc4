"""The calls about branches, tags and aliases, and about the history of their moves."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from registry import active
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.pagination import NewestFirst
from registry.api.rooms import Room
from registry.api.serializers import LimitedText
from registry.models import Ref, RefMove
from registry.moments import read_moment
from registry.permissions import Action, require
from registry.services import refs
from registry.services.activation import address_of
from registry.services.rollbacks import roll_back

# --- What bodies are read by


class GuardInput(Input):
    """What guards and explains a change."""

    expected = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=100,
        help_text="What it names now, as you believe; null: nothing. 409 otherwise.",
    )
    comment = LimitedText(required=False, default="", max_length=1000, help_text="Why.")


class DeletionInput(GuardInput):
    also = Input.also | {"format"}  # of the query: DRF's own
    revision = serializers.CharField(required=False, max_length=100, help_text="The same as `expected`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        revision = attrs.pop("revision", None)
        return {"expected": revision} | attrs if revision else attrs


class RefInput(GuardInput):
    revision = serializers.CharField(
        required=False, max_length=100, help_text="What it shall name: 3, v3, latest, a name, a digest."
    )
    # Null is “as it is”: what a form leaves out must not lift a protection.
    protected = serializers.BooleanField(allow_null=True, default=None, help_text="Moved by maintainers only.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "revision" not in attrs and attrs.get("protected") is None and attrs.get("active") is None:
            raise serializers.ValidationError({"revision": ["This field is required."]})
        return attrs


class AliasInput(RefInput):
    active = serializers.BooleanField(
        allow_null=True, default=None, help_text="Kept ready as files below LMVP_ACTIVE_ROOT."
    )


class NewBranchInput(RefInput):
    name = serializers.CharField(max_length=101)  # one more than allowed: the grammar's own refusal says why
    revision = serializers.CharField(default="latest", max_length=100, help_text="Where it begins.")


class NewTagInput(RefInput):
    name = serializers.CharField(max_length=101)
    revision = serializers.CharField(max_length=100, help_text="3, v3, latest, a name, a digest.")


class NewAliasInput(AliasInput):
    name = serializers.CharField(max_length=101)
    revision = serializers.CharField(max_length=100, help_text="3, v3, latest, a name, a digest.")


# --- What answers show


class RefSerializer(serializers.ModelSerializer[Ref]):
    version = serializers.IntegerField(source="version.number")
    digest = serializers.CharField(source="version.digest")
    deprecated = serializers.SerializerMethodField(help_text="Why the version should not be used any more, or null.")

    class Meta:
        model = Ref
        fields = ["kind", "name", "version", "digest", "deprecated", "protected", "updated_at"]

    def get_deprecated(self, ref: Ref) -> str | None:
        return ref.version.deprecated or None


class AliasSerializer(RefSerializer):
    materialised = serializers.SerializerMethodField(
        help_text="What stands as files on this server, as its disk tells; another version than the alias's: not yet."
    )

    class Meta(RefSerializer.Meta):
        fields = [*RefSerializer.Meta.fields, "active", "materialised"]

    def get_materialised(self, ref: Ref) -> dict[str, Any] | None:
        path = address_of(ref)
        there = active.standing(path) if ref.active else None
        if there is None:
            return None
        return {
            "version": there.number,
            "path": path,
            "at": serializers.DateTimeField().to_representation(there.since),
        }


class RefMoveSerializer(serializers.Serializer[Any]):
    to = serializers.IntegerField(source="to_version.number", default=None, allow_null=True)
    actor = serializers.CharField(source="actor.username")
    comment = serializers.CharField()
    at = serializers.DateTimeField()
    rollback = serializers.SerializerMethodField(help_text="Whether it took an earlier move back.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        came = serializers.IntegerField(source="from_version.number", default=None, allow_null=True)
        return {"from": came, **super().get_fields()}

    def get_rollback(self, move: RefMove) -> bool:
        return move.undoes_id is not None


# --- The calls


class RefViewSet(Room):
    """Branches, tags or aliases, by the `kind` that the route gives."""

    kind = ""
    shape = RefSerializer
    input = RefInput
    first_input: type[RefInput] = NewTagInput

    def refs(self) -> Any:
        found = Ref.objects.filter(model=self.model(), kind=self.kind)
        return found.select_related("version", "model__project").order_by("name")

    def known_moves(self) -> Any:
        """Return the moves of the name in the address, which may be deleted; Ref.DoesNotExist for one that never was."""
        moves = RefMove.objects.of(self.model(), self.kind, self.kwargs["name"])
        if not moves.exists():
            raise Ref.DoesNotExist
        return moves

    def list(self, request: Request, project: str, model: str) -> Response:
        return self.pages(self.shape, self.refs())

    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.MOVE_REF, there.project)
        said = self.read(self.first_input).validated_data
        ref = refs.create_ref(actor=request.user, model=there, move=refs.Move(self.kind, **said))
        return self.show(self.shape, ref, 201)

    def retrieve(self, request: Request, project: str, model: str, name: str) -> Response:
        return self.show(self.shape, self.refs().get(name=name))

    def update(self, request: Request, project: str, model: str, name: str) -> Response:
        there = self.model()
        require(request.user, Action.MOVE_REF, there.project)
        said = self.read(self.input).validated_data
        ref, new = refs.set_ref(actor=request.user, model=there, move=refs.Move(self.kind, name, **said))
        return self.show(self.shape, ref, 201 if new else 200)

    def destroy(self, request: Request, project: str, model: str, name: str) -> Response:
        there = self.model()
        require(request.user, Action.MOVE_REF, there.project)
        checked = DeletionInput(data={**request.query_params.dict(), **request.data})
        checked.is_valid(raise_exception=True)
        refs.delete_ref(actor=request.user, model=there, kind=self.kind, name=name, **checked.validated_data)
        return Response(status=204)

    def moves(self, request: Request, project: str, model: str, name: str) -> Response:
        rows = self.known_moves().select_related("actor", "from_version", "to_version")
        return self.pages(RefMoveSerializer, rows, NewestFirst())

    def moment(self, request: Request, project: str, model: str, name: str) -> Response:
        moves, said = self.known_moves(), request.query_params.get("time")
        when = timezone.now() if said is None else read_moment(said)
        move = moves.last_until(when)
        version = move.to_version if move else None
        return Response(
            {
                "kind": self.kind,
                "name": name,
                "time": serializers.DateTimeField().to_representation(when),
                "version": version.number if version else None,
                "digest": version.digest if version else None,
                "move": RefMoveSerializer(move).data if move else None,
            }
        )


class RollbackViewSet(Room):
    @documented(
        "Take an alias back to where it stood before its latest move",
        name="aliases_rollback",
        tag="names",
        body=GuardInput,
        example={"comment": "too slow", "expected": "3"},
        answer=(200, "The alias. Again: one step further back. A deleted alias comes back.", doc.ALIAS),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str, model: str, name: str) -> Response:
        there = self.model()
        require(request.user, Action.MOVE_REF, there.project)
        said = self.read(GuardInput).validated_data
        return self.show(AliasSerializer, roll_back(actor=request.user, model=there, name=name, **said))


def _ref_viewset(kind: str, plural: str, moving: str, example: dict[str, Any], **more: Any) -> type[RefViewSet]:
    """Return the viewset of one kind of name, with each call described in its words."""
    first = {"name": example["name"], "revision": "3", "comment": "better on the test set"}
    describe = {
        "list": documented(
            f"List the {plural}",
            name=f"{plural}_list",
            tag="names",
            answer=(200, f"A page of {plural}.", doc.page_of(example)),
            query=doc.PAGES,
        ),
        "create": documented(
            f"Make one of the {plural}; 409 when it is there",
            name=f"{plural}_create",
            tag="names",
            body=more["first_input"],
            example=first,
            answer=(201, f"The {kind}.", example),
            errors=(400, 401, 403, 404, 409),
        ),
        "retrieve": documented(
            f"Show one of the {plural}", name=f"{plural}_read", tag="names", answer=(200, f"The {kind}.", example)
        ),
        "update": documented(
            moving,
            name=f"{plural}_set",
            tag="names",
            body=more.get("input", RefInput),
            example={"revision": "3", "comment": "better on the test set"},
            answer=(200, f"The {kind}; 201 when it is new.", example),
            errors=(400, 401, 403, 404, 409),
        ),
        "destroy": documented(
            f"Delete one of the {plural}; its history stays",
            name=f"{plural}_delete",
            tag="names",
            answer=(204, "Done.", None),
            errors=(400, 401, 403, 404, 409),
            query=[
                doc.query("expected", "What it names now, as you believe. 409 otherwise."),
                doc.query("comment", "Why."),
            ],
        ),
        "moves": documented(
            f"Show the history of one of the {plural}: who moved it, when, from where to where, why",
            name=f"{plural}_moves",
            tag="names",
            answer=(200, "Moves, newest first; also of a name that is deleted.", doc.cursor_page_of(doc.MOVE)),
            query=doc.CURSOR,
        ),
        "moment": documented(
            f"Show what one of the {plural} stood for at a time, who had moved it there, when and why",
            name=f"{plural}_at",
            tag="names",
            answer=(
                200,
                "The version then, or null; and the move that had put it there.",
                doc.MOMENT | {"kind": kind, "name": example["name"]},
            ),
            errors=(400, 401, 404),
            query=[
                doc.query("time", "2026-03-03T12:00:00Z, or a date: the end of that day in UTC. Now when left out.")
            ],
        ),
    }
    methods = {name: decorate(_own(getattr(RefViewSet, name))) for name, decorate in describe.items()}
    return type(f"{kind.title()}ViewSet", (RefViewSet,), {"kind": kind, **more, **methods})


def _own(method: Any) -> Any:
    """A function of its own for each kind, so that each carries its own description."""

    def call(self: RefViewSet, request: Request, **kwargs: Any) -> Any:
        return method(self, request, **kwargs)

    call.__name__ = method.__name__
    return call


VIEWSETS = {
    "branches": _ref_viewset("branch", "branches", "Make or move a branch", doc.REF, first_input=NewBranchInput),
    "tags": _ref_viewset(
        "tag",
        "tags",
        "Make a tag (it does not move)",
        doc.REF | {"kind": "tag", "name": "release-1.0"},
        first_input=NewTagInput,
    ),
    "aliases": _ref_viewset(
        "alias",
        "aliases",
        "Point an alias to a version",
        doc.ALIAS,
        first_input=NewAliasInput,
        input=AliasInput,
        shape=AliasSerializer,
    ),
}
