import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.TokenManagementApi;
import org.openapitools.client.api.UserAuthenticationApi;
import org.openapitools.client.api.UserManagementApi;
import org.openapitools.client.model.AccountLoginRequest;
import org.openapitools.client.model.RefreshRequest;
import org.openapitools.client.model.RegisterRequest;
import org.openapitools.client.model.TokenPair;
import org.openapitools.client.model.UserInfo;

/** Usage: Journey register|use URL MAIL */
public class Journey {
  private static final String PASSWORD = "a password of the journey";

  public static void main(String[] arguments) throws ApiException {
    if (arguments[0].equals("register")) register(arguments[1], arguments[2]);
    else use(arguments[1], arguments[2]);
  }

  private static ApiClient client(String url, String token) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    if (token != null) client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    return client;
  }

  private static void register(String url, String mail) throws ApiException {
    RegisterRequest request =
        new RegisterRequest().mail(mail).userId(mail.split("@")[0]).name("Journey").password(PASSWORD).appId("pluto");
    String registered = new UserAuthenticationApi(client(url, null)).register(request).getBody().getMail();
    demand(registered.equals(mail), "another mail was registered");
  }

  private static void use(String url, String mail) throws ApiException {
    UserAuthenticationApi logins = new UserAuthenticationApi(client(url, null));
    AccountLoginRequest login = new AccountLoginRequest().account(mail).password(PASSWORD).appId("pluto");
    TokenPair first = logins.loginWithAccount(login).getBody();
    UserInfo info = new UserManagementApi(client(url, first.getAccessToken())).getInfo().getBody();
    demand(info.getMail().equals(mail) && info.getName().equals("Journey"), "the profile is of somebody else");
    RefreshRequest refresh = new RefreshRequest().refreshToken(first.getRefreshToken()).appId("pluto");
    TokenPair second = new TokenManagementApi(client(url, null)).refreshToken(refresh).getBody();
    demand(second.getAccessTokenExpireAt() > System.currentTimeMillis() / 1000, "the new token has expired");
    new UserManagementApi(client(url, second.getAccessToken())).deleteUser();
    try {
      logins.loginWithAccount(login);
    } catch (ApiException refused) {
      demand(refused.getCode() == 403, "the login failed with " + refused.getCode());
      return;
    }
    demand(false, "the account is still there");
  }

  private static void demand(boolean holds, String message) {
    if (!holds) throw new IllegalStateException(message);
  }
}
