import { Injectable } from '@nestjs/common';
import { compactVerify, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../common/access.js';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { isDatabaseUnavailable, isPoolExhausted } from '../database/database-error.js';
import { readAccessClaims, type AccessClaims } from './access-claims.js';
import { ClientGate } from './client-gate.js';
import { signCompact } from './compact-jws.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { VerifiedTokens } from './verified-tokens.js';

/** The subject and lifetime of an access token. */
export interface TokenBearer {
  /** 0 for a client's own token. */
  userId: number;
  applicationName: string;
  scopes: string[];
  /** `''` for a client's own token. */
  sessionId: string;
  clientKey?: string | null;
  /** ACCESS_TOKEN_TTL by default. */
  ttlSeconds?: number | undefined;
  /** Seconds since the epoch; the token expires then at the latest. */
  sessionEndsAt?: number;
}

const ALGORITHM = 'RS256';
const ENDED_SESSIONS_MAX = 10_000;

/** Signs and verifies access tokens: JWTs of type `access`, RS256 only. */
@Injectable()
export class AccessTokensService {
  /** Ended sessions, which must stay refused during a database outage. */
  private readonly endedSessions = new LRUCache<string, true>({ max: ENDED_SESSIONS_MAX });

  constructor(
    private readonly keys: SigningKeysService,
    private readonly sessions: SessionsService,
    private readonly verified: VerifiedTokens,
    private readonly clients: ClientGate,
    private readonly settings: Settings,
  ) {}

  /**
   * Signs an access token, off the event loop.
   * @returns the compact JWS and its `exp` in seconds since the epoch
   */
  async sign(bearer: TokenBearer): Promise<{ accessToken: string; expiresAt: number }> {
    const { kid, privateKey } = await this.keys.signingKey();
    const issuedAt = nowSeconds();
    const ownTtlSeconds = this.settings.accessTokenTtlSeconds;
    const { ttlSeconds = ownTtlSeconds, sessionEndsAt = Infinity } = bearer;
    const expiresAt = Math.min(issuedAt + ttlSeconds, sessionEndsAt);
    if (expiresAt > issuedAt + ownTtlSeconds) await this.keys.keepUntil(kid, expiresAt);
    const claims: AccessClaims = {
      type: 'access',
      iat: issuedAt,
      exp: expiresAt,
      sub: bearer.userId,
      iss: bearer.applicationName,
      scopes: bearer.scopes,
      sid: bearer.sessionId,
      ...(bearer.clientKey && { client_id: bearer.clientKey }),
    };
    return { accessToken: await signCompact(claims, kid, privateKey), expiresAt };
  }

  /**
   * Verifies a token for other services: signature, type, expiry, and that its session has not ended or its
   * client may act. Scopes that the account's role has lost are left out. While the database is unreachable,
   * sessions, roles and clients cannot be checked; a token is then accepted unless this process has refused
   * its session before, so that other services keep working. Pluto itself then refuses it (see
   * `authenticate`).
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken
   */
  async verify(token: string): Promise<AccessClaims> {
    const claims = await this.readClaims(token);
    try {
      if (!isOfClientAlone(claims)) return { ...claims, scopes: await this.heldScopes(claims) };
      await this.checkClient(claims);
    } catch (error) {
      // Not for an exhausted pool: overloading the database must not make ended sessions valid.
      if (!isDatabaseUnavailable(error) || isPoolExhausted(error)) throw error;
      if (this.endedSessions.has(claims.sid)) throw new PlutoError('invalidAccessToken', { cause: error });
    }
    return claims;
  }

  /**
   * The principal of a token whose session has not ended.
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken | userNotExist
   */
  async authenticate(token: string): Promise<Principal> {
    return this.principalOf(await this.readClaims(token));
  }

  /**
   * The session of a token that may have expired.
   * @returns null for a token that Pluto has not signed with a key that it still has, and for a client's own
   */
  async sessionOf(token: string): Promise<string | null> {
    try {
      const { payload } = await compactVerify(token, this.keyOf, { algorithms: [ALGORITHM] });
      const { sid } = readAccessClaims(JSON.parse(new TextDecoder().decode(payload)) as object);
      return sid === '' ? null : sid;
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      return null;
    }
  }

  /**
   * The principal of a token whose signature, type and expiry were verified.
   * @throws PlutoError invalidAccessToken if its session has ended | userNotExist for a client's own token
   */
  private async principalOf(claims: AccessClaims): Promise<Principal> {
    if (isOfClientAlone(claims)) throw new PlutoError('userNotExist');
    const { sid, sub, iss, scopes } = claims;
    const session = await this.sessions.findBearer(sid);
    if (session?.userId !== sub) throw this.ended(sid);
    return {
      userId: sub,
      applicationId: session.applicationId,
      applicationName: iss,
      sessionId: sid,
      scopes,
      clientKey: session.clientKey,
    };
  }

  /** The token's scopes that the account's role still has. @throws PlutoError invalidAccessToken as above */
  private async heldScopes({ sid, sub, scopes }: AccessClaims): Promise<string[]> {
    const found = await this.sessions.findBearerWithRole(sid);
    if (found?.bearer.userId !== sub) throw this.ended(sid);
    return scopes.filter((name) => found.role?.scopes.includes(name));
  }

  private readonly keyOf = ({ kid }: { kid?: string }) => this.keys.verificationKey(kid);

  private ended(sessionId: string): PlutoError {
    this.endedSessions.set(sessionId, true);
    return new PlutoError('invalidAccessToken');
  }

  private async checkClient({ client_id: key = '', iat }: AccessClaims): Promise<void> {
    if (!(await this.clients.mayAct(key, iat))) throw new PlutoError('invalidAccessToken');
  }

  /**
   * Verifies signature, type and expiry of a token: RS256 only, whatever its header says.
   * @throws PlutoError invalidJwt | jwtExpired
   * @see RFC 8725 section 3.1
   */
  private async readClaims(token: string): Promise<AccessClaims> {
    const hash = sha256(token);
    const known = await this.verified.recall(hash);
    if (known) return known;
    const { payload, protectedHeader } = await jwtVerify(token, this.keyOf, {
      algorithms: [ALGORITHM],
    }).catch((error: unknown) => {
      throw tokenError(error);
    });
    const claims = readAccessClaims(payload);
    this.verified.remember(hash, { claims, kid: protectedHeader.kid ?? '' });
    return claims;
  }
}

/** Whether the token has no account: issued by `client_credentials` (RFC 6749 section 4.4). */
function isOfClientAlone({ sub }: AccessClaims): boolean {
  return sub === 0;
}

/** Maps errors of jose; others stay unchanged. */
function tokenError(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new PlutoError('jwtExpired', { cause: error });
  if (error instanceof errors.JOSEError) return new PlutoError('invalidJwt', { cause: error });
  return error;
}
