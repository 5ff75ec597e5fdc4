"""Searching: what is found by which words, what callers may not see, what hostile queries meet, and pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from registry.models import Occurrence, Project, RegisteredModel, Version
from registry.models.search import Query, Scope, Term, search
from registry.services import trash
from registry.services.projects import create_project, update_project
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.registered_models import create_model, update_model
from tests.burying import bury
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, SHA256, refused
from tests.test_doors import token_client

V1 = "http://testserver/v1"


def answer(user: User | None, q: str, **more: Any) -> dict[str, Any]:
    response = client_of(user).get("/v1/search/", {"q": q, **more})
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def names(user: User | None, q: str, **more: Any) -> list[str]:
    return [found["name"] for found in answer(user, q, **more)["results"]]


@pytest.fixture
def library(cast: Cast) -> RegisteredModel:
    """vision/resnet-50_v2.1 with two versions; a project of charlie's beside it, where the same words stand."""
    update_project(actor=cast.alice, project=cast.project, description="Seeing for the nightly robots")
    model = create_model(actor=cast.alice, project=cast.project, name="resnet-50_v2.1", description="Deep residuals")
    files = {"model/weights.safetensors": b"1", "tokenizer.json": b"22", "Daten/Größe 東京.csv": b"333"}
    publish(
        cast.bob, model, files, message="Wider hidden layer\n\nTrained on ImageNet", metadata={"optimizer": "adamw"}
    )
    publish(cast.alice, model, {"tokenizer.json": b"4444"}, message="Fixed the hidden bug", alias="production")
    hidden = create_project(actor=cast.charlie, name="hidden", description="Seeing nothing")
    publish(cast.charlie, create_model(actor=cast.charlie, project=hidden, name="resnet"), {"weights.bin": b"9"})
    return model


# --- What is found


def test_each_type_is_answered_whole(cast: Cast, library: RegisteredModel) -> None:
    place = {"project": "vision", "model": library.name, "version": 1}
    model_url = f"{V1}/projects/vision/models/resnet-50_v2.1/"
    path = "Daten/Größe 東京.csv"
    project = {"type": "project", "name": "vision", "project": "vision", "title": "Seeing for the nightly robots"}
    model = {"type": "model", "name": f"vision/{library.name}", "project": "vision", "model": library.name}
    version = {"type": "version", "name": f"vision/{library.name} v1", **place, "digest": SHA256, "author": "bob"}
    file = {"type": "file", "name": path, **place, "path": path, "digest": SHA256, "size": 3}
    assert answer(cast.dave, "robots") == page(project | {"url": f"{V1}/projects/vision/"})
    assert answer(cast.dave, "residuals") == page(model | {"title": "Deep residuals", "url": model_url})
    assert answer(cast.dave, "imagenet") == page(
        version
        | {"title": "Wider hidden layer", "created_at": JUST_NOW, "deprecated": None, "url": f"{model_url}versions/1/"}
    )
    encoded = "Daten/Gr%C3%B6%C3%9Fe%20%E6%9D%B1%E4%BA%AC.csv"
    assert answer(cast.dave, "größe") == page(file | {"url": f"{model_url}versions/1/files/{encoded}"})
    assert client_of(cast.dave).get(f"{model_url}versions/1/files/{encoded}").status_code == 200


def page(*results: Any) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": list(results)}


@pytest.mark.parametrize(
    "q",
    ["resnet", "resnet-50", "RESNET_50", "resnet-50_v2.1", "v2.1", "resn", "vision/resnet-50_v2.1", "residuals resnet"],
)
def test_model_is_found_by_the_parts_of_its_name(cast: Cast, library: RegisteredModel, q: str) -> None:
    assert names(cast.dave, q, type="model") == ["vision/resnet-50_v2.1"]


@pytest.mark.parametrize(
    "q",
    ["weights.safetensors", "weights", "safetensors", "model/weights", "safet", "weights.safe", "model safetensors"],
)
def test_file_is_found_by_the_parts_of_its_path(cast: Cast, library: RegisteredModel, q: str) -> None:
    assert names(cast.dave, q, type="file") == ["model/weights.safetensors"]


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("hidden", [2, 1]),  # the newer first
        ("HIDDEN layer", [1]),
        ("layer hidden", [1]),
        ('"hidden layer"', [1]),
        ('"layer hidden"', []),
        ("“hidden layer”", [1]),
        ("hid", [2, 1]),
        ("hid layer", []),  # the last word alone may be a beginning
        ('"hid"', []),
        ("adamw", [1]),  # metadata
        ("optimizer", [1]),
        ("bob", [1]),  # author
        ("production", [2]),  # alias
        ("main", [2, 1]),
        ("hidden nonsense", []),
        ("idden", []),
    ],
)
def test_versions_by_message_metadata_author_and_names(
    cast: Cast, library: RegisteredModel, q: str, numbers: list[int]
) -> None:
    assert [found["version"] for found in answer(cast.dave, q, type="version")["results"]] == numbers


@pytest.mark.parametrize("digits", [7, 16, 63, 64])
def test_versions_and_files_are_found_by_digest(cast: Cast, library: RegisteredModel, digits: int) -> None:
    version, file = library.versions.get(number=1), library.occurrences.get(path="model/weights.safetensors")
    assert names(cast.dave, version.digest[:digits]) == ["vision/resnet-50_v2.1 v1"]
    assert names(cast.dave, file.digest[:digits].upper()) == ["model/weights.safetensors"]


def test_fewer_than_seven_digits_are_no_digest(cast: Cast, library: RegisteredModel) -> None:
    assert names(cast.dave, library.occurrences.get(path="model/weights.safetensors").digest[:6]) == []


def test_digest_of_a_directory_is_no_file(cast: Cast, library: RegisteredModel) -> None:
    directory = library.occurrences.get(path="model")
    assert names(cast.dave, directory.digest) == []
    assert names(cast.dave, "model", type="file") == ["model/weights.safetensors"]


def test_what_is_called_so_comes_first_then_each_type_in_turn(cast: Cast) -> None:
    other = cast.model("wider")
    publish(cast.alice, other, {"digits/wide": b"1", "more/digits": b"2"}, message="digits")
    publish(cast.alice, other, {"digits": b"3"}, base="empty", message="more digits")
    create_project(actor=cast.alice, name="digits", description="The digits")
    cast.model("Digits")
    found = [(one["type"], one["name"]) for one in answer(cast.alice, "digits")["results"]]
    assert found == [
        ("project", "digits"),
        ("model", "vision/Digits"),
        ("file", "digits"),
        ("file", "more/digits"),
        ("version", "vision/wider v2"),
        ("version", "vision/wider v1"),
        ("file", "digits/wide"),
    ]


def test_whole_words_come_before_beginnings(cast: Cast) -> None:
    model = cast.model()
    for message in ("one epoch", "many epochs", "epoch of epochs"):
        publish(cast.alice, model, {"a": message.encode()}, message=message)
    assert [found["title"] for found in answer(cast.dave, "epoch")["results"]] == [
        "epoch of epochs",
        "one epoch",
        "many epochs",
    ]


# --- Who sees it


@pytest.mark.parametrize(
    ("visibility", "seen"),
    [
        ("private", {"dave", "alice"}),
        ("internal", {"dave", "alice", "charlie"}),
        ("public", {"dave", "alice", "charlie", "nobody"}),
    ],
)
@pytest.mark.parametrize("q", ["vision", "robots", "safetensors", "imagenet", "production"])
def test_only_what_the_caller_may_see_is_found(
    cast: Cast, library: RegisteredModel, visibility: str, seen: set[str], q: str
) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility=visibility)
    people = {"nobody": None, "charlie": cast.charlie, "dave": cast.dave, "alice": cast.alice}
    assert {name for name, user in people.items() if names(user, q)} == seen


def test_digest_of_hidden_bytes_is_not_found(cast: Cast, library: RegisteredModel) -> None:
    secret = Occurrence.objects.get(path="weights.bin")
    assert names(cast.charlie, secret.digest) == ["weights.bin"]
    assert names(cast.alice, secret.digest) == []
    assert names(cast.alice, secret.first_version.digest) == []


def test_token_bound_to_a_project_finds_nothing_outside_it(cast: Cast, library: RegisteredModel) -> None:
    elsewhere = create_project(actor=cast.alice, name="elsewhere", description="robots too")
    assert names(cast.alice, "robots") == ["elsewhere", "vision"]
    client = token_client(cast.alice, "read", project=elsewhere.name)
    assert [one["name"] for one in client.get("/v1/search/?q=robots").json()["results"]] == ["elsewhere"]


def test_caller_of_many_projects_finds_the_same(cast: Cast, library: RegisteredModel) -> None:
    for number in range(20):
        create_project(actor=cast.alice, name=f"project-{number}")
    assert names(cast.alice, "weights") == ["model/weights.safetensors"]
    assert names(cast.alice, "resnet") == ["vision/resnet-50_v2.1"]


def test_place_narrows(cast: Cast, library: RegisteredModel) -> None:
    publish(cast.alice, cast.model("other"), {"weights.bin": b"5"}, message="hidden too")
    assert len(names(cast.alice, "hidden")) == 3
    assert names(cast.alice, "hidden", model="vision/other") == ["vision/other v1"]
    assert names(cast.alice, "hidden", project="vision", model="other") == ["vision/other v1"]
    assert len(names(cast.alice, "hidden", project="vision")) == 3
    assert names(cast.charlie, "weights", project="hidden") == ["weights.bin"]
    assert names(cast.alice, "vision", model="vision/other") == ["vision/other"]


@pytest.mark.parametrize(
    "place", [{"project": "hidden"}, {"model": "hidden/resnet"}, {"project": "nothing"}, {"model": "x"}]
)
def test_place_that_one_may_not_see_looks_as_if_it_were_not_there(
    cast: Cast, library: RegisteredModel, place: dict[str, str]
) -> None:
    refused(client_of(cast.alice).get("/v1/search/", {"q": "weights", **place}), 404, "not_found")
    refused(client_of(None).get("/v1/search/", {"q": "weights", **place}), 401, "not_authenticated")


@pytest.mark.parametrize("trashed", [Project, RegisteredModel, Version])
def test_what_is_in_the_trash_is_not_found(cast: Cast, library: RegisteredModel, trashed: Any) -> None:
    trashed.objects.update(trashed_at=timezone.now())
    digest = library.occurrences.get(path="model/weights.safetensors").digest
    for q in ("hidden", "production", "safetensors", digest):
        assert names(cast.alice, q) == []
    trashed.objects.update(trashed_at=None)
    assert len(names(cast.alice, "hidden", type="version")) == 2


def files(user: User | None, q: str) -> list[tuple[str, int]]:
    return [(found["name"], found["version"]) for found in answer(user, q, type="file")["results"]]


def delete(cast: Cast, model: RegisteredModel, *numbers: int) -> None:
    for number in numbers:
        trash.delete(
            actor=cast.carol, row=Version.objects.select_related("model__project").get(model=model, number=number)
        )


def test_file_outlives_the_version_that_brought_it(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"deep/weights.bin": b"w", "weights.txt": b"gone"})
    publish(cast.bob, model, {"more": b"2"}, remove=["weights.txt"])
    publish(cast.bob, model, {"deep/weights.bin": b"other"})
    publish(cast.bob, model, {"deep/weights.bin": b"w"})
    digest = model.occurrences.get(path="deep/weights.bin", first_version__number=1).digest
    whole = answer(cast.dave, digest, type="file")["results"]
    for numbers, left in (((1,), 2), ((2,), 4)):
        delete(cast, model, *numbers)
        assert files(cast.dave, "weights") == [("deep/weights.bin", 3), ("deep/weights.bin", left)]
        url = f"{V1}/projects/vision/models/classifier/versions/{left}/files/deep/weights.bin"
        assert answer(cast.dave, digest, type="file")["results"] == [whole[0] | {"version": left, "url": url}]
        assert client_of(cast.dave).get(url).status_code == 200
    assert model.occurrences.filter(path="weights.txt").exists(), "it may be taken back"


def test_file_of_many_models_whose_versions_are_in_the_trash(cast: Cast) -> None:
    for name in ("one", "two"):
        model = cast.model(name)
        publish(cast.bob, model, {"weights": b"w", "kept": b"k"})
        publish(cast.bob, model, {"other": b"o"})
        delete(cast, model, 1)
    found = answer(cast.dave, "weights")["results"]
    assert [(one["model"], one["version"]) for one in found] == [("two", 2), ("one", 2)]


# --- What changes


def test_renamed_and_described_things_are_found_as_they_are_now(cast: Cast, library: RegisteredModel) -> None:
    update_model(actor=cast.alice, model=library, name="convnext", description="Deeper still")
    update_project(actor=cast.alice, project=cast.project, name="sight", description="Looking")
    assert names(cast.alice, "resnet", type="model") == []
    assert names(cast.alice, "residuals") == []
    assert names(cast.alice, "deeper") == ["sight/convnext"]
    assert names(cast.alice, "sight/convnext") == ["sight/convnext"]
    assert names(cast.alice, "vision") == []
    assert names(cast.alice, "robots") == []
    assert names(cast.alice, "looking") == ["sight"]
    assert names(cast.alice, "weights.safetensors") == ["model/weights.safetensors"]


def test_name_that_moved_or_went_is_found_where_it_is(cast: Cast, library: RegisteredModel) -> None:
    set_ref(actor=cast.alice, model=library, move=Move("alias", "production", "1"))
    assert names(cast.alice, "production") == ["vision/resnet-50_v2.1 v1"]
    delete_ref(actor=cast.alice, model=library, kind="alias", name="production")
    assert names(cast.alice, "production") == []


def test_files_of_a_purged_version_vanish(cast: Cast, library: RegisteredModel) -> None:
    bury(library.versions.filter(number=1))
    library.occurrences.filter(first_version__number=1).delete()
    assert names(cast.alice, "safetensors") == []
    assert names(cast.alice, "imagenet") == []
    assert names(cast.alice, "tokenizer") == ["tokenizer.json"]


# --- Bad input


@pytest.mark.parametrize("q", ["x" * 201, "x" * 10_000, "🎉 " * 150])
def test_query_that_is_too_long_is_refused(cast: Cast, q: str) -> None:
    refused(client_of(cast.alice).get("/v1/search/", {"q": q}), 400, "query_too_long")


@pytest.mark.parametrize("q", ["", "   ", '""', "*", "🎉", '"', "-", "() : '' \\", "\t\n"])
def test_query_without_words_is_refused(cast: Cast, q: str) -> None:
    refused(client_of(cast.alice).get("/v1/search/", {"q": q}), 400, "empty_query")


def test_query_is_asked_for(cast: Cast) -> None:
    refused(client_of(cast.alice).get("/v1/search/"), 400, "empty_query")


def test_unknown_type_is_refused(cast: Cast) -> None:
    error = refused(client_of(cast.alice).get("/v1/search/?q=x&type=blob"), 400, "invalid_type")
    assert "project, model, version, file" in error["message"]


HOSTILE = [
    "AND", "OR", "NOT", "NEAR", "NEAR(hidden layer)", "hidden AND", "NOT hidden", "AND OR NOT", "hidden*", "*hidden",
    "hidden)", "(hidden", "((((", "words:hidden", "scope:p1", "words : hidden", "- hidden", "hidden ^", "^hidden",
    '"hidden', 'hidden"', '"""hidden', "'hidden'", "hidden''", "'; DROP TABLE registry_search_file; --", "hidden & | !",
    "hidden <-> layer", "hidden:*", "hidden:ABCD", "\\", "hidden\\", "\\'", "a' | 'b", "%s", "%(x)s", "{words}", "hidden 🎉",
    "🎉hidden", "hid\u0301den", "ｈｉｄｄｅｎ", "\u202ehidden", "the", "a an the of", "1e5abc", "0x1f", "x" * 200, "a " * 100,
    '"a" ' * 50, "1 " * 100, "İstanbul", "ß", "\x7fhidden", "hidden\x01", "a+b=c", "50%", "$1", "?", "hidden?", "/p1", "p1", "m1", "/c0",
    "\ue000p1", "⅔", "a²b", "𝒳", "٣",
]  # fmt: skip


def test_hostile_query_is_never_an_error_of_the_server(cast: Cast, library: RegisteredModel) -> None:
    for q in HOSTILE:
        for user in (cast.alice, None):
            response = client_of(user).get("/v1/search/", {"q": q})
            assert response.status_code in (200, 400), (q, response.content)
            if response.status_code == 400:
                refused(response, 400, "empty_query")
            elif user is None:
                assert response.json() == page(), q
            else:
                assert "hidden" not in {found["project"] for found in response.json()["results"]}, q


def test_signs_part_words_and_mean_nothing(cast: Cast, library: RegisteredModel) -> None:
    for q in ("hidden)", "hidden*", "^hidden", "-hidden", "hidden 🎉", "hidden AND", "'hidden'"):
        numbers = [found["version"] for found in answer(cast.alice, q, type="version")["results"]]
        assert numbers == ([] if q == "hidden AND" else [2, 1]), q
    assert names(cast.alice, "words:hidden") == []


def test_nul_is_nothing_here(cast: Cast) -> None:
    refused(client_of(cast.alice).get("/v1/search/?q=a%00b"), 404, "not_found")


@pytest.mark.parametrize("marker", ["p{}", "m{}", "/p{}", "scope p{}", "/c0"])
def test_words_of_users_do_not_pass_for_a_place(cast: Cast, marker: str) -> None:
    theirs = create_project(actor=cast.charlie, name="theirs")
    text = " ".join(marker.format(number) for number in range(1000))
    create_model(actor=cast.charlie, project=theirs, name="bait", description=f"{text[:1900]} unicorn")
    assert names(cast.alice, "unicorn") == []
    assert names(cast.charlie, "unicorn") == ["theirs/bait"]


def test_very_long_words_and_texts_are_taken(cast: Cast) -> None:
    model = cast.model()
    publish(cast.alice, model, {"a": b"1"}, message="beginning " + "x" * 3000 + " " + "word " * 1300 + "end")
    publish(cast.alice, model, {"a" * 200 + "/" + "b" * 200: b"2"}, metadata={"k" * 5000: ["v\nnext"] * 500})
    assert names(cast.alice, "beginning end") == ["vision/classifier v1"]
    assert names(cast.alice, "next") == ["vision/classifier v2"]


# --- Pages


def test_pages_lead_on_and_back_without_a_count(cast: Cast) -> None:
    model = cast.model()
    publish(cast.alice, model, {f"shard-{number}.bin": b"%d" % number for number in range(5)})
    first = answer(cast.alice, "shard", page_size=2)
    second = client_of(cast.alice).get(first["next"]).json()
    third = client_of(cast.alice).get(second["next"]).json()
    assert set(first) == {"next", "previous", "results"}
    assert [[found["path"][6] for found in part["results"]] for part in (first, second, third)] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
    ]
    assert (first["previous"], third["next"]) == (None, None)
    assert client_of(cast.alice).get(third["previous"]).json() == second


@pytest.mark.parametrize("number", ["0", "4", "x", "-1", "9" * 30])
def test_page_that_is_not_there(cast: Cast, library: RegisteredModel, number: str) -> None:
    refused(client_of(cast.alice).get("/v1/search/", {"q": "hidden", "page": number}), 404, "not_found")


def test_number_of_queries_does_not_grow_with_what_is_found(cast: Cast, library: RegisteredModel) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer(cast.alice, "hidden v")
            answer(cast.alice, "tokenizer.j")
            answer(cast.alice, "resnet")
        return len(asked)

    before = queries()
    for number in range(4):
        model = create_model(actor=cast.alice, project=cast.project, name=f"resnet-{number}")
        publish(cast.alice, model, {"tokenizer.json": b"%d" % number}, message="hidden v")
    assert queries() <= before + 2  # kinds that had nothing to load have something now


def test_thousand_at_most_and_the_newest_of_them(cast: Cast) -> None:
    model = cast.model()
    version = publish(cast.alice, model, {"first": b"0"})
    digest = model.occurrences.get().digest
    Occurrence.objects.bulk_create(
        Occurrence(model=model, path=f"part/{number}", digest=digest, first_version=version) for number in range(1200)
    )
    found = search(Query.read("part"), Scope([cast.project.pk]))
    newest = model.occurrences.order_by("-pk").values_list("pk", flat=True)
    assert found == [("file", pk) for pk in newest[:1000]]
    assert len(search(Query.read(digest), Scope([cast.project.pk]))) == 1000
    last = answer(cast.alice, "part", page=5, page_size=200)
    assert (len(last["results"]), last["next"]) == (200, None)


def test_what_is_rare_is_found_behind_many(cast: Cast) -> None:
    """Rows of several blocks of ids, in the newest of which the word does not stand."""
    model = cast.model()
    version = publish(cast.alice, model, {"needle/first": b"0"})
    digest = model.occurrences.get(path="needle/first").digest
    newest = Occurrence.objects.order_by("-pk").values_list("pk", flat=True)[0]
    Occurrence.objects.bulk_create(
        Occurrence(pk=newest + step, model=model, path=f"hay/{step}", digest=digest, first_version=version)
        for step in (1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 40_000, 100_000)
    )
    hay = [f"hay/{step}" for step in (100_000, 40_000, 16_385, 16_384, 16_383, 1025, 1024, 1023, 1)]
    assert names(cast.alice, "needle") == names(cast.alice, "needl") == ["needle/first"]
    assert names(cast.alice, "hay") == names(cast.alice, "ha") == hay


# --- What is read from a query


@pytest.mark.parametrize(
    ("said", "terms"),
    [
        ("Wider layer", [Term(("wider",)), Term(("layer",), open=True)]),
        ("a", [Term(("a",))]),
        ("resnet-50", [Term(("resnet", "50"), open=True)]),
        ('"hidden layer" x1', [Term(("hidden", "layer")), Term(("x1",), open=True)]),
        ('x1 "hidden lay', [Term(("x1",)), Term(("hidden", "lay"))]),
        ("deadbeef x1", [Term(("deadbeef",), open=True), Term(("x1",), open=True)]),
        ("x1 !!", [Term(("x1",), open=True)]),
        ("", []),
    ],
)
def test_query_is_read(said: str, terms: list[Term]) -> None:
    assert list(Query.read(said).terms) == terms
