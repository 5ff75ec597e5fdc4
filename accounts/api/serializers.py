"""The shapes of the accounts' JSON. Rules live in the services."""

from __future__ import annotations

from rest_framework import serializers

from accounts.api.inputs import Input
from accounts.models import AccessToken, User


class EmailSerializer(serializers.Serializer):
    email = serializers.EmailField(max_length=254)

    class Meta:
        ref_name = "Email"


class PasswordField(serializers.CharField):
    """A password: blanks belong to it, and hashing it stays cheap."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            max_length=1000, trim_whitespace=False, write_only=True, style={"input_type": "password"}, **options
        )


class LoginSerializer(EmailSerializer):
    password = PasswordField()

    class Meta:
        ref_name = "Login"


class RegistrationSerializer(EmailSerializer):
    username = serializers.CharField(max_length=39)
    password = PasswordField()

    class Meta:
        ref_name = "Registration"


class PasswordGrantSerializer(serializers.Serializer):
    """OAuth2's password form; `username` is the e-mail address or the username."""

    grant_type = serializers.ChoiceField(choices=["password"], required=False)
    username = serializers.CharField(max_length=254)
    password = PasswordField()

    class Meta:
        ref_name = "PasswordGrant"


class RefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=4096)

    class Meta:
        ref_name = "Refresh"


class MailedTokenSerializer(serializers.Serializer):
    token = serializers.CharField(max_length=4096)

    class Meta:
        ref_name = "MailedToken"


class PasswordResetConfirmSerializer(MailedTokenSerializer):
    password = PasswordField()

    class Meta:
        ref_name = "PasswordResetConfirm"


class PasswordChangeSerializer(Input):
    old_password = PasswordField()
    new_password = PasswordField()

    class Meta:
        ref_name = "PasswordChange"


class AccessTokenSerializer(serializers.ModelSerializer):
    project = serializers.CharField(source="project_id", allow_null=True, read_only=True)

    class Meta:
        model = AccessToken
        fields = ["id", "name", "scope", "project", "hint", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields
        ref_name = "AccessToken"


class AccessTokenCreateSerializer(Input):
    name = serializers.CharField(max_length=100)
    scope = serializers.ChoiceField(choices=AccessToken.Scope.choices, default=AccessToken.Scope.READ.value)
    expires_in_days = serializers.IntegerField(min_value=1, max_value=3650, required=False, allow_null=True)
    project = serializers.CharField(max_length=39, required=False, allow_null=True)

    class Meta:
        ref_name = "AccessTokenCreate"


class MeSerializer(serializers.ModelSerializer):
    token = AccessTokenSerializer(source="access_token", read_only=True, allow_null=True)

    class Meta:
        model = User
        fields = ["email", "username", "is_staff", "is_superuser", "date_joined", "token"]
        read_only_fields = fields
        ref_name = "Me"


class UserSerializer(serializers.ModelSerializer):
    is_verified = serializers.BooleanField(read_only=True)

    class Meta:
        model = User
        fields = ["username", "email", "is_active", "is_staff", "is_superuser", "is_verified", "date_joined"]
        read_only_fields = fields
        ref_name = "User"


class UserCreateSerializer(RegistrationSerializer):
    roles = serializers.ListField(child=serializers.ChoiceField(choices=["admin"]), required=False, default=list)

    class Meta:
        ref_name = "UserCreate"


class UserFlagsSerializer(Input):
    is_active = serializers.BooleanField(required=False)
    is_staff = serializers.BooleanField(required=False)

    class Meta:
        ref_name = "UserFlags"
