import { Injectable } from '@nestjs/common';
import pTimeout from 'p-timeout';
import { DataSource } from 'typeorm';
import { PlutoError } from '../common/errors.js';

const PATIENCE_MS = 2000;

/** Checks whether Pluto can do its work. */
@Injectable()
export class HealthService {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws PlutoError serviceUnavailable when the database does not answer within two seconds */
  async assertDatabaseAnswers(): Promise<void> {
    try {
      await pTimeout(this.dataSource.query('SELECT 1'), { milliseconds: PATIENCE_MS });
    } catch (cause) {
      throw new PlutoError('serviceUnavailable', { cause });
    }
  }
}
