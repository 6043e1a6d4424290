import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { equalInConstantTime, hmac } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { isOpaque } from '../common/text-checks.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { Limits } from '../limits/limits.service.js';
import { networkOf } from '../limits/network.js';
import type { ClientGate } from '../token/client-gate.js';
import { SessionsService } from '../token/sessions.service.js';
import { ClientApplicationsService } from './client-applications.service.js';
import { AuthorizationCode } from './authorization-code.entity.js';
import { OAuthClient, type ClientStatus } from './oauth-client.entity.js';

export interface NewClient {
  userId: number;
  /** The application of that account, the first that the client belongs to. */
  applicationId: number;
  key: string;
  secret: string;
  redirectUri: string;
}

/** Registers and authenticates third-party clients. */
@Injectable()
export class ClientsService implements ClientGate {
  private readonly logger = new Logger('OAuth');
  private readonly hashKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly sessions: SessionsService,
    private readonly limits: Limits,
    private readonly events: SecurityEvents,
    private readonly clientApplications: ClientApplicationsService,
    secretKey: SecretKey,
  ) {
    this.hashKey = secretKey.derive('oauth-client-secrets');
  }

  /**
   * Registers a client, which gets no tokens until an administrator has approved it.
   * @throws PlutoError clientExists | tooManyRequests
   */
  async create(
    { userId, applicationId, key, secret, redirectUri }: NewClient,
    context: RequestContext,
  ): Promise<OAuthClient> {
    await this.limits.count('client-register', String(userId));
    const secretHash = this.hash(key, secret);
    const client = { userId, key, secretHash, redirectUri, status: 'pend' as const, createdAt: nowSeconds() };
    try {
      return await this.transactions.runFor(context, async (manager) => {
        const made = await manager.save(OAuthClient, { ...client });
        await this.clientApplications.add(manager, made, applicationId);
        const detail = { client: key };
        await this.events.publish(manager, { type: 'client.created', applicationId: null, userId, detail });
        return made;
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new PlutoError('clientExists', { cause: error });
      // The account was deleted concurrently.
      if (isForeignKeyViolation(error)) throw new PlutoError('invalidAccessToken', { cause: error });
      throw error;
    }
  }

  /** The clients registered by an account, or all clients; oldest first. */
  list(userId?: number): Promise<OAuthClient[]> {
    return this.dataSource.manager.find(OAuthClient, {
      where: userId === undefined ? {} : { userId },
      order: { id: 'ASC' },
    });
  }

  /**
   * Approves or denies a client. Denying it ends its sessions and codes.
   * @throws PlutoError clientNotFound
   */
  async setStatus(
    key: string,
    status: Exclude<ClientStatus, 'pend'>,
    context: RequestContext,
  ): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      const change = status === 'denied' ? { status, deniedAt: nowSeconds() } : { status };
      await manager.update(OAuthClient, { key }, change);
      const client = await manager.findOneBy(OAuthClient, { key });
      if (!client) throw new PlutoError('clientNotFound');
      await this.events.publish(manager, {
        type: 'client.status',
        applicationId: null,
        userId: client.userId,
        detail: { client: client.key, status },
      });
      if (status !== 'denied') return;
      await manager.delete(AuthorizationCode, { clientId: client.id });
      await this.sessions.endAllOfClient(manager, key);
    });
    this.logger.log({ msg: `client ${status}`, client: key, requestId: context.requestId });
  }

  /**
   * Finds an approved client by its credentials.
   * @throws PlutoError clientNotFound | invalidClient, only if the secret is right | tooManyRequests
   * @see RFC 6749 section 2.3.1
   */
  async authenticate(
    key: string,
    secret: string,
    { address }: Pick<Caller, 'address'>,
  ): Promise<OAuthClient> {
    const network = networkOf(address);
    await this.limits.assertLeft('client-failures', network);
    await this.assertClientLeft(key, network);
    const client = await this.find(key);
    const isRight = equalInConstantTime(this.hash(key, secret), client?.secretHash ?? '');
    if (!client || !isRight) {
      await this.countFailure(key, network);
      throw new PlutoError('clientNotFound');
    }
    if (client.status !== 'approved') throw new PlutoError('invalidClient');
    return client;
  }

  /** Compares again, since MariaDB ignores trailing spaces. */
  async find(key: string): Promise<OAuthClient | null> {
    const client = isOpaque(key, 255) ? await this.dataSource.manager.findOneBy(OAuthClient, { key }) : null;
    return client?.key === key ? client : null;
  }

  async mayAct(key: string, issuedAt: number): Promise<boolean> {
    const client = await this.find(key);
    return client?.status === 'approved' && issuedAt > client.deniedAt;
  }

  /**
   * Makes a concurrent denial wait for the end of the transaction, so that it also ends what the transaction
   * creates.
   * @throws PlutoError invalidClient when the client is already denied
   */
  async lockApproved(manager: EntityManager, { id }: OAuthClient): Promise<void> {
    const { affected } = await manager.update(
      OAuthClient,
      { id, status: 'approved' },
      { status: 'approved' },
    );
    if (affected !== 1) throw new PlutoError('invalidClient');
  }

  /**
   * Wrong secrets of a client count for all addresses together. So that strangers, who know its key, cannot
   * lock the client out, this bound is only for addresses that have sent a wrong secret themselves.
   */
  private async assertClientLeft(key: string, network: string): Promise<void> {
    try {
      await this.limits.assertLeft('client-guesses', key);
    } catch (error) {
      await this.limits.assertLeft('client-guess', `${network} ${key}`).catch(() => {
        throw error;
      });
    }
  }

  private async countFailure(key: string, network: string): Promise<void> {
    await this.limits.allows('client-failures', network);
    await this.limits.allows('client-guesses', key);
    await this.limits.allows('client-guess', `${network} ${key}`);
  }

  private hash(key: string, secret: string): string {
    return hmac(this.hashKey, `${key}\n${secret}`);
  }
}
