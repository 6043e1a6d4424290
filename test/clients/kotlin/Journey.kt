import pluto.apis.TokenManagementApi
import pluto.apis.UserAuthenticationApi
import pluto.apis.UserManagementApi
import pluto.infrastructure.ApiClient
import pluto.infrastructure.ClientException
import pluto.models.AccountLoginRequest
import pluto.models.RefreshRequest
import pluto.models.RegisterRequest

private const val PASSWORD = "a password of the journey"

/** Usage: Journey register|use URL MAIL */
fun main(arguments: Array<String>) {
    val (step, url, mail) = arguments
    if (step == "register") register(url, mail) else use(url, mail)
}

private fun register(url: String, mail: String) {
    val request = RegisterRequest(mail, mail.substringBefore('@'), "Journey", PASSWORD, "pluto")
    val registered = UserAuthenticationApi(url).register(request).body
    check(registered.mail == mail) { "another mail was registered" }
}

private fun use(url: String, mail: String) {
    val logins = UserAuthenticationApi(url)
    val login = AccountLoginRequest(account = mail, password = PASSWORD, appId = "pluto")
    val first = logins.loginWithAccount(login).body
    ApiClient.accessToken = first.accessToken
    val info = UserManagementApi(url).getInfo().body
    check(info.mail == mail && info.name == "Journey") { "the profile is of somebody else" }
    val second = TokenManagementApi(url).refreshToken(RefreshRequest(first.refreshToken, "pluto")).body
    check(second.accessTokenExpireAt > System.currentTimeMillis() / 1000) { "the new token has expired" }
    ApiClient.accessToken = second.accessToken
    UserManagementApi(url).deleteUser()
    val refused = runCatching { logins.loginWithAccount(login) }.exceptionOrNull()
    check((refused as? ClientException)?.statusCode == 403) { "the account is still there: $refused" }
}
