import { Injectable } from '@nestjs/common';
import { DataSource, In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { isForeignKeyViolation } from '../database/constraints.js';
import { Transactions } from '../database/transactions.js';
import { SecurityEvents } from '../events/security-events.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { ClientApplication } from './client-application.entity.js';
import { OAuthClient } from './oauth-client.entity.js';

/** Which applications a client belongs to: those that it may get tokens of its own for. */
@Injectable()
export class ClientApplicationsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly events: SecurityEvents,
  ) {}

  belongs({ id: clientId }: OAuthClient, applicationId: number): Promise<boolean> {
    return this.dataSource.manager.existsBy(ClientApplication, { clientId, applicationId });
  }

  /** The names of the applications of clients, by client id; always two queries. */
  async namesOf(clients: OAuthClient[]): Promise<Map<number, string[]>> {
    const rows = await this.dataSource.manager.find(ClientApplication, {
      where: { clientId: In(clients.map(({ id }) => id)) },
      order: { applicationId: 'ASC' },
    });
    const names = await this.applications.namesOf(rows.map(({ applicationId }) => applicationId));
    return new Map(
      clients.map(({ id }) => [
        id,
        rows.flatMap((row) => (row.clientId === id ? (names.get(row.applicationId) ?? []) : [])),
      ]),
    );
  }

  async add(manager: EntityManager, { id: clientId }: OAuthClient, applicationId: number): Promise<void> {
    await manager.insert(ClientApplication, { clientId, applicationId });
  }

  /**
   * Replaces the applications of a client.
   * @param names of applications
   * @returns their names as they are stored, oldest first
   * @throws PlutoError clientNotFound | applicationNotExist
   */
  async replace(key: string, names: string[], context: RequestContext): Promise<string[]> {
    const found = await Promise.all(names.map((name) => this.applications.getByName(name)));
    const applications = new Map(found.map(({ id, name }) => [id, name]));
    const ids = [...applications.keys()].sort((one, other) => one - other);
    try {
      await this.transactions.runFor(context, (manager) => this.store(manager, key, ids));
    } catch (error) {
      // The application was deleted concurrently.
      if (isForeignKeyViolation(error)) throw new PlutoError('applicationNotExist', { cause: error });
      throw error;
    }
    return ids.map((id) => applications.get(id)!);
  }

  private async store(manager: EntityManager, key: string, applicationIds: number[]): Promise<void> {
    // Locks the client, so that of two concurrent replacements one is kept as a whole.
    await manager.update(OAuthClient, { key }, { key });
    const client = await manager.findOneBy(OAuthClient, { key });
    if (client?.key !== key) throw new PlutoError('clientNotFound');
    await manager.delete(ClientApplication, { clientId: client.id });
    for (const applicationId of applicationIds) await this.add(manager, client, applicationId);
    await this.events.publish(manager, {
      type: 'client.changed',
      applicationId: null,
      userId: client.userId,
      detail: { client: key, change: 'applications' },
    });
  }
}
