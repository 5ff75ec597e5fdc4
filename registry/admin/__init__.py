"""The registry in the admin: projects and members are managed by Django's permissions, what was published is looked at.

Every write goes through the services. Content is its members': an administrator who needs it joins the project.
"""

from django.contrib import admin

from registry.admin import content, events, lineage, projects, versions

__all__ = ["content", "events", "lineage", "projects", "versions"]

admin.site.site_header = admin.site.site_title = "LMVP administration"
admin.site.index_title = "Registry and accounts"
