import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { comparisonKey } from '../common/text-keys.js';
import { Application } from './application.entity.js';

/** Looks applications up. */
@Injectable()
export class ApplicationsService {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Finds the application that a request names in `app_id`.
   * @throws PlutoError applicationNotExist
   */
  async getByName(name: string, manager: EntityManager = this.dataSource.manager): Promise<Application> {
    const application = await this.findByName(name, manager);
    if (!application) throw new PlutoError('applicationNotExist');
    return application;
  }

  findByName(name: string, manager: EntityManager = this.dataSource.manager): Promise<Application | null> {
    return manager.findOneBy(Application, { nameKey: comparisonKey(name.trim()) });
  }

  /** @throws PlutoError applicationNotExist */
  async getById(id: number, manager: EntityManager = this.dataSource.manager): Promise<Application> {
    const application = await manager.findOneBy(Application, { id });
    if (!application) throw new PlutoError('applicationNotExist');
    return application;
  }
}
