import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { isLine } from '../common/text-checks.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isUniqueViolation } from '../database/constraints.js';
import { Transactions } from '../database/transactions.js';
import { Application } from './application.entity.js';
import { Role } from './role.entity.js';

/** Makes applications and looks them up. */
@Injectable()
export class ApplicationsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
  ) {}

  /**
   * Finds the application that a request names in `app_id`.
   * @throws PlutoError applicationNotExist
   */
  async getByName(name: string, manager: EntityManager = this.dataSource.manager): Promise<Application> {
    return existing(await this.findByName(name, manager));
  }

  async findByName(
    name: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<Application | null> {
    if (!isLine(name, 100)) return null;
    return manager.findOneBy(Application, { nameKey: comparisonKey(name.trim()) });
  }

  /** @throws PlutoError applicationNotExist */
  async getById(id: number, manager: EntityManager = this.dataSource.manager): Promise<Application> {
    return existing(await manager.findOneBy(Application, { id }));
  }

  /** All applications, oldest first. */
  list(): Promise<Application[]> {
    return this.dataSource.manager.find(Application, { order: { id: 'ASC' } });
  }

  /** @throws PlutoError applicationExists, also when the name differs in case only */
  async create(name: string): Promise<Application> {
    const trimmed = name.trim();
    const application = {
      name: trimmed,
      nameKey: comparisonKey(trimmed),
      defaultRoleId: null,
      createdAt: nowSeconds(),
    };
    try {
      return await this.transactions.run((manager) => manager.save(Application, application));
    } catch (error) {
      if (isUniqueViolation(error, 'uq_applications_name'))
        throw new PlutoError('applicationExists', { cause: error });
      throw error;
    }
  }

  /**
   * Sets the role of accounts that were given none.
   * @throws PlutoError applicationNotExist | roleNotExist, also for a role of another application
   */
  async setDefaultRole(applicationId: number, roleId: number): Promise<void> {
    await this.transactions.run(async (manager) => {
      await this.getById(applicationId, manager);
      if (!(await manager.existsBy(Role, { id: roleId, applicationId })))
        throw new PlutoError('roleNotExist');
      await manager.update(Application, { id: applicationId }, { defaultRoleId: roleId });
    });
  }
}

function existing(application: Application | null): Application {
  if (!application) throw new PlutoError('applicationNotExist');
  return application;
}
