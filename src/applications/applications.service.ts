import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { isLine } from '../common/text-checks.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isUniqueViolation } from '../database/constraints.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { Application } from './application.entity.js';

// Plain SQL, since every login runs it.
const FIND_BY_NAME = `
  SELECT id, name, name_key AS nameKey, default_role_id AS defaultRoleId, revision, created_at AS createdAt
  FROM applications WHERE name_key = ?`;

/** Creates and finds applications. */
@Injectable()
export class ApplicationsService {
  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Finds the application named by the `app_id` of a request.
   * @throws PlutoError applicationNotExist
   */
  async getByName(name: string, manager?: EntityManager): Promise<Application> {
    return existing(await this.findByName(name, manager));
  }

  async findByName(name: string, manager?: EntityManager): Promise<Application | null> {
    const nameKey = applicationKey(name);
    if (nameKey === null) return null;
    const [found] = manager
      ? await manager.query<Application[]>(FIND_BY_NAME, [nameKey])
      : await this.dataSource.read<Application>(FIND_BY_NAME, [nameKey]);
    return found ?? null;
  }

  /** @throws PlutoError applicationNotExist */
  async getById(id: number, manager: EntityManager = this.dataSource.manager): Promise<Application> {
    return existing(await manager.findOneBy(Application, { id }));
  }

  /** All applications, oldest first. */
  list(): Promise<Application[]> {
    return this.dataSource.manager.find(Application, { order: { id: 'ASC' } });
  }

  /** The names of existing applications, by id. */
  async namesOf(ids: number[]): Promise<Map<number, string>> {
    const wanted = [...new Set(ids)];
    const applications = await this.dataSource.manager.findBy(Application, { id: In(wanted) });
    return new Map(applications.map(({ id, name }) => [id, name]));
  }

  /** @throws PlutoError applicationExists, also if the names differ only in case */
  async create(name: string, context: RequestContext | null): Promise<Application> {
    const trimmed = name.trim();
    const application = {
      name: trimmed,
      nameKey: comparisonKey(trimmed),
      defaultRoleId: null,
      createdAt: nowSeconds(),
    };
    try {
      return await this.transactions.runFor(context, async (manager) => {
        const made = await manager.save(Application, { ...application });
        await this.events.publish(manager, {
          type: 'application.created',
          applicationId: made.id,
          userId: null,
          detail: { application: made.name },
        });
        return made;
      });
    } catch (error) {
      if (isUniqueViolation(error, 'uq_applications_name'))
        throw new PlutoError('applicationExists', { cause: error });
      throw error;
    }
  }

  /**
   * Locks the application until the end of the transaction.
   * @throws PlutoError applicationNotExist
   */
  async lock(manager: EntityManager, id: number): Promise<Application> {
    await manager.increment(Application, { id }, 'revision', 1);
    return this.getById(id, manager);
  }

  /** Sets the default role of an application, which must be locked. */
  async setDefaultRole(manager: EntityManager, id: number, roleId: number): Promise<void> {
    await manager.update(Application, { id }, { defaultRoleId: roleId });
  }
}

/** The key that identifies an application; null if the name is not valid. */
export function applicationKey(name: string): string | null {
  return isLine(name, 100) ? comparisonKey(name.trim()) : null;
}

function existing(application: Application | null): Application {
  if (!application) throw new PlutoError('applicationNotExist');
  return application;
}
