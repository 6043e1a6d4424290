import { Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError, JsonWebTokenError } from '@nestjs/jwt';
import type { Principal } from '../common/access.js';
import { sha256 } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { Settings } from '../config/settings.js';
import { isDatabaseUnavailable, isPoolExhausted } from '../database/database-error.js';
import { isAccessClaims, readAccessClaims, type AccessClaims } from './access-claims.js';
import { ClientGate } from './client-gate.js';
import { signCompact } from './compact-jws.js';
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

const ENDED_SESSIONS_MAX = 10_000;

/** Signs and checks access tokens: JWTs of type `access`, RS256 only. */
@Injectable()
export class AccessTokensService {
  /** Sessions that were looked for in vain, oldest first: what an outage must not bring back. */
  private readonly endedSessions = new Set<string>();

  constructor(
    private readonly keys: SigningKeysService,
    private readonly sessions: SessionsService,
    private readonly jwt: JwtService,
    private readonly verified: VerifiedTokens,
    private readonly clients: ClientGate,
    private readonly settings: Settings,
  ) {}

  /**
   * Signs an access token, off the event loop.
   * @returns the compact JWS and its `exp` in seconds since the epoch
   */
  async sign(bearer: TokenBearer): Promise<{ accessToken: string; expiresAt: number }> {
    const { kid, header, privateKey } = await this.keys.signingKey();
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
    return { accessToken: await signCompact(header, claims, privateKey), expiresAt };
  }

  /**
   * Checks a token from anywhere: signature, type, expiry, and that its session has not ended and its client may act.
   * While the database is away, the last is not known: then a token passes unless this process has refused its session
   * before, so that other services outlive the outage. Pluto itself lets nobody in by it (see `principalOf`).
   * @throws PlutoError invalidJwt | jwtExpired | invalidAccessToken
   */
  async verify(token: string): Promise<AccessClaims> {
    const hash = sha256(token);
    const claims = (await this.findClaims(token, hash)) ?? (await this.verifySignature(token));
    try {
      if (isOfClientAlone(claims)) await this.checkClient(claims);
      else await this.principalOf(claims);
    } catch (error) {
      if (error instanceof PlutoError) this.verified.forget(hash);
      // One that is only busy is not away: whoever keeps it busy must not have ended sessions pass.
      if (!isDatabaseUnavailable(error) || isPoolExhausted(error)) throw error;
      if (this.endedSessions.has(claims.sid)) throw new PlutoError('invalidAccessToken', { cause: error });
    }
    return claims;
  }

  /**
   * The bearer of a token that is good beyond doubt; null when passport has to say what is wrong with it, if anything.
   * @throws PlutoError as `principalOf`
   */
  async findBearer(token: string): Promise<Principal | null> {
    const hash = sha256(token);
    const claims = await this.findClaims(token, hash);
    if (!claims) return null;
    try {
      return await this.principalOf(claims);
    } catch (error) {
      if (error instanceof PlutoError) this.verified.forget(hash);
      throw error;
    }
  }

  /**
   * The bearer of a token whose signature, type and expiry were checked.
   * @throws PlutoError invalidAccessToken when its session has ended | userNotExist for that of a client alone
   */
  async principalOf(claims: AccessClaims): Promise<Principal> {
    if (isOfClientAlone(claims)) throw new PlutoError('userNotExist');
    const { sid, sub, iss, scopes } = claims;
    const session = await this.sessions.findBearer(sid);
    if (!session || session.userId !== sub) {
      this.noteEnded(sid);
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

  private noteEnded(sessionId: string): void {
    this.endedSessions.add(sessionId);
    const [oldest = ''] = this.endedSessions;
    if (this.endedSessions.size > ENDED_SESSIONS_MAX) this.endedSessions.delete(oldest);
  }

  private async checkClient({ client_id: key = '', iat }: AccessClaims): Promise<void> {
    if (!(await this.clients.mayAct(key, iat))) throw new PlutoError('invalidAccessToken');
  }

  /** The claims of a token that is signed and has not expired, without a word about any other. */
  private async findClaims(token: string, hash: string): Promise<AccessClaims | null> {
    const known = await this.verified.recall(hash);
    if (known) return known;
    const signed = await this.keys.findPayload(token);
    if (!signed || !isAccessClaims(signed.payload) || signed.payload.exp <= nowSeconds()) return null;
    this.verified.remember(hash, { claims: signed.payload, kid: signed.kid });
    return signed.payload;
  }

  /** @throws PlutoError with what is wrong with the token */
  private async verifySignature(token: string): Promise<AccessClaims> {
    const payload = await this.jwt.verifyAsync<Record<string, unknown>>(token).catch((error: unknown) => {
      throw tokenError(error);
    });
    return readAccessClaims(payload);
  }
}

/** Whether it is about no account: what `client_credentials` gives (RFC 6749 section 4.4). */
function isOfClientAlone({ sub }: AccessClaims): boolean {
  return sub === 0;
}

/** Finds the failure for what the JWT libraries throw; what is not theirs stays what it is. */
export function tokenError(error: unknown): unknown {
  if (error instanceof TokenExpiredError) return new PlutoError('jwtExpired', { cause: error });
  if (error instanceof JsonWebTokenError) return new PlutoError('invalidJwt', { cause: error });
  return error;
}
