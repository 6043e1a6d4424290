"""Usage: journey.py register|use URL MAIL"""

import sys
import time

import pluto
from pluto.exceptions import ForbiddenException

PASSWORD = "a password of the journey"


def register(url: str, mail: str) -> None:
    with pluto.ApiClient(pluto.Configuration(host=url)) as client:
        request = pluto.RegisterRequest(
            mail=mail, user_id=mail.split("@")[0], name="Journey", password=PASSWORD, app_id="pluto"
        )
        answer = pluto.UserAuthenticationApi(client).register(request)
        assert answer.body.mail == mail


def use(url: str, mail: str) -> None:
    configuration = pluto.Configuration(host=url)
    with pluto.ApiClient(configuration) as client:
        logins = pluto.UserAuthenticationApi(client)
        users = pluto.UserManagementApi(client)
        login = pluto.AccountLoginRequest(account=mail, password=PASSWORD, app_id="pluto")
        first = logins.login_with_account(login).body
        configuration.access_token = first.access_token
        info = users.get_info().body
        assert (info.mail, info.name) == (mail, "Journey")
        refresh = pluto.RefreshRequest(refresh_token=first.refresh_token, app_id="pluto")
        second = pluto.TokenManagementApi(client).refresh_token(refresh).body
        assert second.access_token_expire_at > time.time()
        configuration.access_token = second.access_token
        users.delete_user()
        try:
            logins.login_with_account(login)
        except ForbiddenException:
            return
        raise AssertionError("the account is still there")


step, base_url, address = sys.argv[1:]
(register if step == "register" else use)(base_url, address)
