"""The pages of getting in: forms over the same services as the API, without JavaScript."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import views
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts.errors import Invalid, Refusal, Throttled
from accounts.services import mailed_tokens, passwords, registration
from accounts.services.mail import where_mails_go
from accounts.web import forms

secret_post = method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")


class LoginPage(views.LoginView):
    authentication_form = forms.LoginForm
    template_name = "accounts/login.html"
    redirect_authenticated_user = True


class LogoutPage(views.LogoutView):
    pass


class ServicePage(FormView):
    """A form over one service call; a refusal is shown in the form, with the service's status."""

    def perform(self, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def form_valid(self, form: Form) -> HttpResponse:
        try:
            self.perform(form.cleaned_data)
        except Refusal as refusal:
            forms.show_refusal(form, refusal)
            return self.refused(form, refusal)
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: Form) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)

    def refused(self, form: Form, refusal: Refusal) -> HttpResponse:
        response = self.render_to_response(self.get_context_data(form=form), status=refusal.status)
        if isinstance(refusal, Throttled):
            response["Retry-After"] = str(refusal.seconds)
        return response


class OnTheWay(views.RedirectURLMixin):
    """A page before signing in: it hands on `next`, where its visitor was going, if that is an address of this site."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)

    def get_success_url(self) -> str:
        target = self.get_redirect_url()
        return reverse("login") + (f"?{urlencode({'next': target})}" if target else "")


@secret_post
class RegisterPage(OnTheWay, ServicePage):
    form_class = forms.RegistrationForm
    template_name = "accounts/register.html"

    def get_initial(self) -> dict[str, Any]:
        return {"email": self.request.GET.get("email", "")[:254]}

    def perform(self, data: dict[str, Any]) -> None:
        registration.register(**data, next_page=self.get_redirect_url())

    def form_valid(self, form: Form) -> HttpResponse:
        response = super().form_valid(form)
        if form.errors:
            return response
        sent = {"email": form.cleaned_data["email"], "next": self.get_redirect_url(), "where": where_mails_go()}
        return render(self.request, "accounts/check_mail.html", sent)


class MailPage(ServicePage):
    """Asks for an address, and says the same for every address."""

    form_class = forms.EmailForm
    template_name = "accounts/mail_page.html"
    success_url = reverse_lazy("login")
    heading = lead = button = promise = ""

    def form_valid(self, form: Form) -> HttpResponse:
        response = super().form_valid(form)
        if not form.errors:
            messages.info(self.request, self.promise)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(heading=self.heading, lead=self.lead, button=self.button, **kwargs)


class ForgottenPasswordPage(MailPage):
    heading = "Forgotten password"
    lead = "Say your e-mail address, and we mail you a link to choose another password. It works for two hours."
    button = "Send me a link"
    promise = "If this address is registered, a mail with a link is on its way (or in the server's console)."

    def perform(self, data: dict[str, Any]) -> None:
        passwords.request_reset(**data)


class ResendVerificationPage(OnTheWay, MailPage):
    heading = "Another verification mail"
    lead = "The link in the mail shows that the address is yours. It works for 24 hours; the newest one counts."
    button = "Send it again"
    promise = "If this address waits for it, another mail is on its way (or in the server's console)."

    def perform(self, data: dict[str, Any]) -> None:
        registration.resend_verification(**data, next_page=self.get_redirect_url())


class MailedTokenPage(ServicePage):
    """Stands behind a mailed link. GET changes nothing, because mail scanners follow links."""

    purpose = ""
    success_url = reverse_lazy("login")

    def get_initial(self) -> dict[str, Any]:
        return {"token": self.request.GET.get("token", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        token = str(context["form"]["token"].value() or "")
        try:
            context["person"] = mailed_tokens.read(purpose=self.purpose, token=token)
        except Invalid as refusal:
            context["refusal"] = refusal.message
        return context


@secret_post
class VerifyEmailPage(OnTheWay, MailedTokenPage):
    form_class = forms.MailedTokenForm
    template_name = "accounts/verify_email.html"
    purpose = mailed_tokens.VERIFICATION

    def perform(self, data: dict[str, Any]) -> None:
        registration.verify_email(**data)
        messages.success(self.request, "Your e-mail address is verified. Sign in now.")


@secret_post
class ResetPasswordPage(MailedTokenPage):
    form_class = forms.ResetPasswordForm
    template_name = "accounts/reset_password.html"
    purpose = mailed_tokens.RESET

    def perform(self, data: dict[str, Any]) -> None:
        passwords.confirm_reset(**data)
        messages.success(self.request, "Your password is changed. Sign in with it.")
