"""Whose a web session is: the one query that finds its user finds its sign-in, so that one that was ended is nobody's at once."""

from __future__ import annotations

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts.errors import BadCredentials
from accounts.models import User
from accounts.services import sign_ins

SIGN_IN = "sign_in"  # in the session: the id of its SignIn


class SignedInMiddleware(AuthenticationMiddleware):
    """Django's, with `request.sign_in`. Pages, the admin and the API begin and end sessions with Django's login and logout."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.sign_in = None
        request.user = SimpleLazyObject(lambda: _user_of(request))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = request.session
        if not session.accessed:
            return response
        if request.sign_in and session.get(SIGN_IN) != str(request.sign_in.pk):
            sign_ins.end_sign_in(actor=request.sign_in.user, sign_in=request.sign_in)  # by Django's logout()
        if session.modified and SESSION_KEY in session and SIGN_IN not in session:  # by Django's login()
            agent = request.headers.get("User-Agent", "")
            session[SIGN_IN] = str(sign_ins.note_session(user=request.user, user_agent=agent).pk)
        return response


def _user_of(request: HttpRequest) -> User | AnonymousUser:
    session = request.session
    if SIGN_IN not in session:
        return get_user(request)
    try:
        request.sign_in = sign_ins.use_session(sign_in_id=session[SIGN_IN], mark=session.get(HASH_SESSION_KEY, ""))
    except BadCredentials:
        session.flush()
        return AnonymousUser()
    return request.sign_in.user
