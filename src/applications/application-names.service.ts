import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { bestMatch, preferredLanguages } from '../common/languages.js';
import type { RequestContext } from '../common/request-context.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationName } from './application-name.entity.js';
import { Application } from './application.entity.js';
import { ApplicationsService } from './applications.service.js';

export type LocalizedName = Pick<ApplicationName, 'tag' | 'name'>;

/** Manages the names of applications in the languages of their users. */
@Injectable()
export class ApplicationNamesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly events: SecurityEvents,
  ) {}

  /** @throws PlutoError applicationNotExist */
  async get(applicationId: number): Promise<{ application: Application; names: LocalizedName[] }> {
    return {
      application: await this.applications.getById(applicationId),
      names: await this.namesOf(applicationId, this.dataSource.manager),
    };
  }

  /**
   * Replaces all names of the application.
   * @param names with canonical language tags, each only once
   * @throws PlutoError applicationNotExist
   */
  async replace(applicationId: number, names: LocalizedName[], context: RequestContext): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      await this.applications.lock(manager, applicationId);
      await manager.delete(ApplicationName, { applicationId });
      if (names.length > 0)
        await manager.insert(
          ApplicationName,
          names.map((name) => ({ ...name, applicationId })),
        );
      await this.events.publish(manager, {
        type: 'application.changed',
        applicationId,
        userId: null,
        detail: { change: 'names' },
      });
    });
  }

  /** The application's name for a reader: in one of their languages, else in English, else its own name. */
  async displayName(
    { id, name }: Pick<Application, 'id' | 'name'>,
    acceptLanguage: string | undefined,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<string> {
    const names = await this.namesOf(id, manager);
    const tags = names.map(({ tag }) => tag);
    const tag = bestMatch(preferredLanguages(acceptLanguage), tags) ?? bestMatch(['en'], tags);
    return names.find((candidate) => candidate.tag === tag)?.name ?? name;
  }

  private namesOf(applicationId: number, manager: EntityManager): Promise<LocalizedName[]> {
    return manager.find(ApplicationName, { where: { applicationId }, order: { tag: 'ASC' } });
  }
}
