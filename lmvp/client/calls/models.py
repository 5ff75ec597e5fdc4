"""Registered models: made, changed, deleted and taken back; and which of their versions are kept."""

from __future__ import annotations

from typing import Literal

from lmvp.client.calls.connection import Connected, given, project_path
from lmvp.client.errors import NotFound
from lmvp.client.naming import ModelName
from lmvp.client.results.models import RegisteredModel, RetentionRule, TrashEntry

Kind = Literal["model", "dataset", "config"]


class Models(Connected):
    def models(self, project: str | None = None) -> list[RegisteredModel]:
        """Return the models of a project; without one, of yours."""
        owner = self._owner(project)
        with self._names.explained_in(owner):
            return self._all(RegisteredModel, project_path(owner, "models"))

    def model(self, name: str) -> RegisteredModel:
        """Return one model."""
        model = self._names.resolve(name)
        with self._names.explained(model):
            return self._ask(RegisteredModel, "GET", model.path)

    def create_model(self, name: str, *, kind: Kind = "model", description: str = "") -> RegisteredModel:
        """Make a model without versions; `publish` makes one by itself."""
        model = self._names.resolve_new(name)
        body = {"name": model.model, "kind": kind, "description": description}
        with self._names.explained_in(model.project):
            return self._ask(RegisteredModel, "POST", project_path(model.project, "models"), body)

    def update_model(
        self, name: str, *, description: str | None = None, kind: Kind | None = None, default_branch: str | None = None
    ) -> RegisteredModel:
        """Change what is given. `default_branch` is what `latest` means, one that is there."""
        return self._changed(name, given(description=description, kind=kind, default_branch=default_branch))

    def rename_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model another name in its project; the former one keeps leading to it."""
        return self._changed(name, {"name": new_name.rpartition("/")[2]})

    def _changed(self, name: str, body: dict[str, str]) -> RegisteredModel:
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            return self._ask(RegisteredModel, "PATCH", model.path, body)

    def delete_model(self, name: str) -> TrashEntry:
        """Put a model into the trash, with all its versions and names; `undelete_model` takes it back."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            return self._ask(TrashEntry, "DELETE", model.path)

    def undelete_model(self, name: str) -> RegisteredModel:
        """Take a model back from the trash."""
        return self._ask(RegisteredModel, "POST", f"{self._names.resolve_new(name).path}undelete/")

    def retention(self, name: str) -> RetentionRule | None:
        """Return the rule that says which versions are kept, and what it would trash now; None: all are kept."""
        model = self._names.resolve(name)
        try:
            return self._ask(RetentionRule, "GET", _rule(model))
        except NotFound:
            self.model(str(model))  # is it the rule that is missing, or the model?
            return None

    def set_retention(self, name: str, *, keep_last: int | None = None, keep_days: int | None = None) -> RetentionRule:
        """Keep the newest `keep_last` versions, and those younger than `keep_days`; what has a name is always kept."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            return self._ask(RetentionRule, "PUT", _rule(model), given(keep_last=keep_last, keep_days=keep_days))

    def delete_retention(self, name: str) -> None:
        """Take the rule away: all versions are kept."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            self._session.call("DELETE", _rule(model))


def _rule(model: ModelName) -> str:
    return f"{model.path}retention/"
