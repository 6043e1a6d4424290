import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isUniqueViolation } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import type { Application } from '../applications/application.entity.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { Scope } from './scope.entity.js';

/** Manages the scopes of applications. */
@Injectable()
export class ScopesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly events: SecurityEvents,
  ) {}

  /** @throws PlutoError applicationNotExist | scopeExists, also if the names differ only in case */
  async create(applicationId: number, name: string, context: RequestContext | null): Promise<Scope> {
    await this.applications.getById(applicationId);
    const scope = { applicationId, name, nameKey: comparisonKey(name), createdAt: nowSeconds() };
    try {
      return await this.transactions.runFor(context, async (manager) => {
        const made = await manager.save(Scope, { ...scope });
        await this.events.publish(manager, {
          type: 'scope.created',
          applicationId,
          userId: null,
          detail: { scope: made.name },
        });
        return made;
      });
    } catch (error) {
      if (isUniqueViolation(error, 'uq_scopes_name')) throw new PlutoError('scopeExists', { cause: error });
      throw error;
    }
  }

  /**
   * The application with its scopes, by id.
   * @throws PlutoError applicationNotExist
   */
  async list(applicationId: number): Promise<{ application: Application; scopes: Scope[] }> {
    const application = await this.applications.getById(applicationId);
    const scopes = await this.dataSource.manager.find(Scope, {
      where: { applicationId },
      order: { id: 'ASC' },
    });
    return { application, scopes };
  }

  /** @throws PlutoError scopeNotExist if one of the names is not a scope of the application */
  async idsByName(applicationId: number, names: string[]): Promise<number[]> {
    const keys = [...new Set(names.map((name) => comparisonKey(name)))];
    const scopes = await this.dataSource.manager.findBy(Scope, { applicationId, nameKey: In(keys) });
    if (scopes.length !== keys.length) throw new PlutoError('scopeNotExist');
    return scopes.map(({ id }) => id);
  }
}
