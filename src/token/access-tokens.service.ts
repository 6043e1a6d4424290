import { Injectable } from '@nestjs/common';
import { CompactSign, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../common/access.js';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { isDatabaseUnavailable, isPoolExhausted } from '../database/database-error.js';
import { readAccessClaims, type AccessClaims } from './access-claims.js';
import { ClientGate } from './client-gate.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { VerifiedTokens } from './verified-tokens.js';

/** Whom an access token is for, and how long. */
export interface TokenBearer {
  /** 0 for a client that acts for itself. */
  userId: number;
  applicationName: string;
  scopes: string[];
  /** `''` for a client that acts for itself. */
  sessionId: string;
  clientKey?: string | null;
  /** That of the settings without. */
  ttlSeconds?: number | undefined;
}

const ALGORITHM = 'RS256';
const ENDED_SESSIONS_MAX = 10_000;

/** Signs and checks access tokens: JWTs of type `access`, RS256 only. */
@Injectable()
export class AccessTokensService {
  /** Sessions that were not found: what an outage must not bring back. */
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
    const expiresAt = issuedAt + (bearer.ttlSeconds ?? ownTtlSeconds);
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
    const accessToken = await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid })
      .sign(privateKey);
    return { accessToken, expiresAt };
  }

  /**
   * Checks a token from anywhere: signature, type, expiry, and that its session has not ended and its client may act.
   * While the database is away, the last is not known: then a token passes unless this process has refused its session
   * before, so that other services outlive the outage. Pluto itself lets nobody in by it (see `authenticate`).
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken
   */
  async verify(token: string): Promise<AccessClaims> {
    const claims = await this.readClaims(token);
    try {
      if (isOfClientAlone(claims)) await this.checkClient(claims);
      else await this.principalOf(claims);
    } catch (error) {
      // One that is only busy is not away: whoever keeps it busy must not have ended sessions pass.
      if (!isDatabaseUnavailable(error) || isPoolExhausted(error)) throw error;
      if (this.endedSessions.has(claims.sid)) throw new PlutoError('invalidAccessToken', { cause: error });
    }
    return claims;
  }

  /**
   * The bearer of a token, whose session has not ended.
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken | userNotExist
   */
  async authenticate(token: string): Promise<Principal> {
    return this.principalOf(await this.readClaims(token));
  }

  /**
   * The bearer of a token whose signature, type and expiry were checked.
   * @throws PlutoError invalidAccessToken when its session has ended | userNotExist for that of a client alone
   */
  private async principalOf(claims: AccessClaims): Promise<Principal> {
    if (isOfClientAlone(claims)) throw new PlutoError('userNotExist');
    const { sid, sub, iss, scopes } = claims;
    const session = await this.sessions.findBearer(sid);
    if (!session || session.userId !== sub) {
      this.endedSessions.set(sid, true);
      throw new PlutoError('invalidAccessToken');
    }
    return {
      userId: sub,
      applicationId: session.applicationId,
      applicationName: iss,
      sessionId: sid,
      scopes,
      clientKey: session.clientKey,
    };
  }

  private async checkClient({ client_id: key = '', iat }: AccessClaims): Promise<void> {
    if (!(await this.clients.mayAct(key, iat))) throw new PlutoError('invalidAccessToken');
  }

  /**
   * The claims of a token whose signature, type and expiry are good: RS256 only, whatever its header says.
   * @throws PlutoError invalidJwt | jwtExpired
   * @see RFC 8725 section 3.1
   */
  private async readClaims(token: string): Promise<AccessClaims> {
    const hash = sha256(token);
    const known = await this.verified.recall(hash);
    if (known) return known;
    const keyOf = ({ kid }: { kid?: string }) => this.keys.verificationKey(kid);
    const { payload, protectedHeader } = await jwtVerify(token, keyOf, { algorithms: [ALGORITHM] }).catch(
      (error: unknown) => {
        throw tokenError(error);
      },
    );
    const claims = readAccessClaims(payload);
    this.verified.remember(hash, { claims, kid: protectedHeader.kid ?? '' });
    return claims;
  }
}

/** Whether it is about no account: what `client_credentials` gives (RFC 6749 section 4.4). */
function isOfClientAlone({ sub }: AccessClaims): boolean {
  return sub === 0;
}

/** Finds the failure for what jose throws; what is not its own stays what it is. */
function tokenError(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new PlutoError('jwtExpired', { cause: error });
  if (error instanceof errors.JOSEError) return new PlutoError('invalidJwt', { cause: error });
  return error;
}
