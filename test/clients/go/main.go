// Usage: journey register|use URL MAIL
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	pluto "example.org/journey/pluto"
)

const password = "a password of the journey"

func main() {
	step, url, mail := os.Args[1], os.Args[2], os.Args[3]
	configuration := pluto.NewConfiguration()
	configuration.Servers = pluto.ServerConfigurations{{URL: url}}
	client := pluto.NewAPIClient(configuration)
	if step == "register" {
		register(client, mail)
	} else {
		use(client, mail)
	}
}

func register(client *pluto.APIClient, mail string) {
	request := pluto.NewRegisterRequest(mail, strings.Split(mail, "@")[0], "Journey", password, "pluto")
	answer, _, err := client.UserAuthenticationAPI.Register(context.Background()).RegisterRequest(*request).Execute()
	check(err)
	demand(answer.Body.Mail == mail, "another mail was registered")
}

func use(client *pluto.APIClient, mail string) {
	background := context.Background()
	login := pluto.NewAccountLoginRequest(mail, password, "pluto")
	first, _, err := client.UserAuthenticationAPI.LoginWithAccount(background).AccountLoginRequest(*login).Execute()
	check(err)

	signedIn := context.WithValue(background, pluto.ContextAccessToken, first.Body.AccessToken)
	info, _, err := client.UserManagementAPI.GetInfo(signedIn).Execute()
	check(err)
	demand(info.Body.Mail == mail && info.Body.Name == "Journey", "the profile is of somebody else")

	refresh := pluto.NewRefreshRequest(first.Body.RefreshToken, "pluto")
	second, _, err := client.TokenManagementAPI.RefreshToken(background).RefreshRequest(*refresh).Execute()
	check(err)
	demand(second.Body.AccessTokenExpireAt > time.Now().Unix(), "the new token has expired")

	again := context.WithValue(background, pluto.ContextAccessToken, second.Body.AccessToken)
	_, _, err = client.UserManagementAPI.DeleteUser(again).Execute()
	check(err)
	_, response, err := client.UserAuthenticationAPI.LoginWithAccount(background).AccountLoginRequest(*login).Execute()
	demand(err != nil && response.StatusCode == 403, "the account is still there")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demand(holds bool, message string) {
	if !holds {
		check(fmt.Errorf("%s", message))
	}
}
