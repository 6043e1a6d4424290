import { EXAMPLE_SECRET } from '../common/secret-strength.js';

/** The client used throughout the OpenAPI document. */
export const EXAMPLE_CLIENT = {
  key: 'desk',
  secret: EXAMPLE_SECRET,
  redirectUri: 'https://client.example/back',
} as const;

/** A code or token in Pluto's format. */
export const EXAMPLE_OPAQUE = 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M';
/** RFC 7636 appendix B; its challenge is the one in the examples of /web/authorize. */
export const EXAMPLE_VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';

const credentials = { client_id: EXAMPLE_CLIENT.key, client_secret: EXAMPLE_CLIENT.secret };
const user = { user: 'ann', password: 'correct horse' };

/** An example request for each grant, with the parameters of that grant only. */
export const tokenRequestExamples = {
  authorizationCode: {
    summary: 'The code that /web/authorize gave',
    value: {
      grant_type: 'authorization_code',
      code: EXAMPLE_OPAQUE,
      redirect_uri: EXAMPLE_CLIENT.redirectUri,
      code_verifier: EXAMPLE_VERIFIER,
      ...credentials,
    },
  },
  password: {
    summary: "A user's password",
    value: { grant_type: 'password', ...user, app_id: 'pluto', scopes: 'pluto.user', ...credentials },
  },
  clientCredentials: {
    summary: 'The client for itself',
    value: { grant_type: 'client_credentials', app_id: 'pluto', scopes: 'pluto.user', ...credentials },
  },
  refreshToken: {
    summary: 'A refresh token of the client',
    value: { grant_type: 'refresh_token', refresh_token: EXAMPLE_OPAQUE, app_id: 'pluto', ...credentials },
  },
};
